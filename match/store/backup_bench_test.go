package store

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"facerecd/match"
)

// BenchmarkBackup is of 10,000 people with 5 embeddings each.
func BenchmarkBackup(b *testing.B) {
	var file bytes.Buffer
	a := got[*ArchiveWriter](b)(NewArchive(&file, ArchiveHeader{Schema: schema}))
	for i := range 10_000 {
		p := match.Person{ID: fmt.Sprintf("P%05d", i), Name: fmt.Sprintf("Person %d", i)}
		must(b, a.AddPerson(p, templates(p.ID, 5)))
	}
	must(b, a.Close())
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(file.Len()))
		for b.Loop() {
			restore(b, open(b, b.TempDir(), Options{}), file.Bytes(), restoring())
		}
	})
	s := open(b, b.TempDir(), Options{})
	restore(b, s, file.Bytes(), restoring())
	b.Run("backup", func(b *testing.B) {
		b.SetBytes(int64(file.Len()))
		for b.Loop() {
			must(b, got[*os.File](b)(s.Snapshot(ArchiveHeader{})).Close())
		}
	})
}
