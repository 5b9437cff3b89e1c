package jpeg

import (
	"bytes"
	"errors"
	"iter"
)

// The markers of ITU-T T.81, table B.1, that matter here; each follows 0xFF.
const (
	markerTEM  = 0x01
	markerSOF0 = 0xC0
	markerDHT  = 0xC4
	markerJPG  = 0xC8
	markerDAC  = 0xCC
	markerRST0 = 0xD0
	markerRST7 = 0xD7
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
)

// ErrMalformed is what every error about the bytes of a picture wraps.
var ErrMalformed = errors.New("malformed JPEG")

// Complete says whether data has the start and the end of a picture. Cameras
// deliver pictures cut short without any flag (the kernel checks the length of
// uncompressed frames only), and pad whole ones with zeros.
func Complete(data []byte) bool {
	data = bytes.TrimRight(data, "\x00")
	return len(data) >= 4 && data[0] == 0xFF && data[1] == markerSOI &&
		data[len(data)-2] == 0xFF && data[len(data)-1] == markerEOI
}

// Segments yields the header segments of the picture that data begins with,
// each marker with its payload (the length field left out), up to and with the
// first start of scan. It stops early at what is no segment, or is cut short.
func Segments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		if len(data) < 2 || data[0] != 0xFF || data[1] != markerSOI {
			return
		}
		for at := 2; ; {
			marker, payload, next := segment(data, at)
			if next < 0 || marker == markerEOI || !yield(marker, payload) || marker == markerSOS {
				return
			}
			at = next
		}
	}
}

// segment reads the segment at data[at:]: fill bytes, marker, length, payload.
// next is the offset behind it, moreBytes when data ends first, or notAMarker.
func segment(data []byte, at int) (marker byte, payload []byte, next int) {
	if at >= len(data) {
		return 0, nil, moreBytes
	}
	if data[at] != 0xFF {
		return 0, nil, notAMarker
	}
	for at < len(data) && data[at] == 0xFF {
		at++
	}
	if at == len(data) {
		return 0, nil, moreBytes
	}
	marker = data[at]
	at++
	switch {
	case marker == 0, marker == markerSOI:
		return 0, nil, notAMarker
	case marker == markerTEM, marker == markerEOI, marker >= markerRST0 && marker <= markerRST7:
		return marker, nil, at
	case at+2 > len(data):
		return 0, nil, moreBytes
	}
	length := int(data[at])<<8 | int(data[at+1])
	switch {
	case length < 2:
		return 0, nil, notAMarker
	case at+length > len(data):
		return 0, nil, moreBytes
	}
	return marker, data[at+2 : at+length], at + length
}

// Values of next that are no offset.
const (
	moreBytes  = -1
	notAMarker = -2
)

// Extent walks the markers of the picture that data begins with and returns
// its length, up to and with its own end marker (those of thumbnails lie
// inside segments), and the number of its scans. n is 0 when data ends first;
// the error wraps ErrMalformed when what data begins with is no picture.
func Extent(data []byte) (n, scans int, err error) {
	var w Walk
	n, err = w.End(data)
	return n, w.scans, err
}

// Scans is how many scans a decoder may find in the picture that data begins
// with, rather too many than too few: decoders go on behind stray bytes, where a
// walk of the markers ends.
func Scans(data []byte) int {
	_, scans, err := Extent(data)
	if err != nil {
		return bytes.Count(data, []byte{0xFF, markerSOS})
	}
	return scans
}

// Walk finds the end of a picture that arrives in pieces, and looks at each
// byte once. The zero Walk is at the picture's beginning.
type Walk struct {
	at     int // where the walk goes on: a marker, or inside a scan's data
	inScan bool
	scans  int
}

// End is Extent for the picture that data begins with, of which there must be
// at least as much as in the call before.
func (w *Walk) End(data []byte) (n int, err error) {
	if w.at == 0 {
		switch {
		case len(data) >= 2 && (data[0] != 0xFF || data[1] != markerSOI):
			return 0, ErrMalformed
		case len(data) < 2:
			return 0, nil
		}
		w.at = 2
	}
	for {
		if w.inScan {
			if w.at, w.inScan = entropyEnd(data, w.at); w.inScan {
				return 0, nil
			}
		}
		for w.at+1 < len(data) && data[w.at] == 0xFF && data[w.at+1] == 0xFF {
			w.at++ // a fill byte, of which there may be megabytes
		}
		marker, _, next := segment(data, w.at)
		switch {
		case next == moreBytes:
			return 0, nil
		case next == notAMarker:
			return 0, ErrMalformed
		case marker == markerEOI:
			return next, nil
		}
		w.at = next
		if marker == markerSOS {
			w.scans++
			w.inScan = true
		}
	}
}

// entropyEnd is the offset of the first marker after the entropy-coded data at
// data[at:], in which 0xFF is followed by 0 or by a restart marker. When data
// ends first, more is true, and the offset is where to go on.
func entropyEnd(data []byte, at int) (end int, more bool) {
	for {
		i := bytes.IndexByte(data[at:], 0xFF)
		if i < 0 {
			return len(data), true
		}
		at += i
		if at+1 == len(data) {
			return at, true
		}
		switch m := data[at+1]; {
		case m == 0xFF: // a fill byte
			at++
		case m == 0, m >= markerRST0 && m <= markerRST7:
			at += 2
		default:
			return at, false
		}
	}
}

// Size is the picture's width and height in pixels, from its header.
func Size(data []byte) (width, height int, err error) {
	for marker, p := range Segments(data) {
		if marker < markerSOF0 || marker > 0xCF || marker == markerDHT || marker == markerJPG || marker == markerDAC {
			continue
		}
		if len(p) < 6 {
			break
		}
		height, width = int(p[1])<<8|int(p[2]), int(p[3])<<8|int(p[4])
		if width == 0 || height == 0 {
			break
		}
		return width, height, nil
	}
	return 0, 0, ErrMalformed
}
