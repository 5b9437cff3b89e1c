package replay

import (
	"bufio"
	"bytes"
	"testing"
	"testing/iotest"
)

func FuzzSplitPictures(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range []*bufio.Scanner{
			bufio.NewScanner(bytes.NewReader(data)),
			bufio.NewScanner(iotest.OneByteReader(bytes.NewReader(data))),
		} {
			r.Split(splitPictures)
			rest := data
			for r.Scan() {
				at := bytes.Index(rest, r.Bytes())
				if at < 0 || len(r.Bytes()) == 0 {
					t.Fatalf("%q is not in what is left of the file", r.Bytes())
				}
				rest = rest[at+len(r.Bytes()):]
			}
			if err := r.Err(); err != nil && len(data) < bufio.MaxScanTokenSize {
				t.Fatal(err)
			}
		}
	})
}
