package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// album is the photos of one person in a folder.
type album struct {
	name  string
	files []string // paths
}

// albums is photos of people that some program has put together.
type albums struct {
	kind   string // in words
	dir    string // where the people's folders are
	people []album
	others int // files that are no photos
	// cropped photos are faces with nothing around them.
	cropped bool
}

// findAlbums looks where in a folder the people are: in Frigate's, Double Take's, or a
// folder with one folder for each person.
func findAlbums(dir string) (albums, error) {
	f := albums{kind: "photos, a folder for each person", dir: dir}
	skip := ""
	is := func(parts ...string) bool {
		info, err := os.Stat(filepath.Join(append([]string{dir}, parts...)...))
		return err == nil && info.IsDir()
	}
	base := filepath.Base(dir)
	switch {
	case is(".storage", "train"):
		f.kind, f.dir = "Double Take's photos", filepath.Join(dir, ".storage", "train")
	case base == ".storage" && is("train"):
		f.kind, f.dir = "Double Take's photos", filepath.Join(dir, "train")
	case base == "train" && filepath.Base(filepath.Dir(dir)) == ".storage":
		f.kind = "Double Take's photos"
	case is("clips", "faces"):
		f.kind, f.dir, skip = "Frigate's faces", filepath.Join(dir, "clips", "faces"), "train"
	case base == "clips" && is("faces"):
		f.kind, f.dir, skip = "Frigate's faces", filepath.Join(dir, "faces"), "train"
	case base == "faces" && is("train"):
		f.kind, skip = "Frigate's faces", "train" // what Frigate has seen and nobody has named
	}
	f.cropped = skip != ""
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return f, fmt.Errorf("list people: %w", err)
	}
	loose := 0
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil || strings.HasPrefix(e.Name(), ".") || e.Name() == skip && skip != "":
		case !info.IsDir():
			if isPhoto(path) {
				loose++
			}
		default:
			a := album{name: e.Name()}
			if err := f.fill(&a, path); err != nil {
				return f, err
			}
			if len(a.files) > 0 {
				f.people = append(f.people, a)
			}
		}
	}
	if len(f.people) == 0 && loose > 0 {
		return f, fmt.Errorf("%s holds photos, and no folder for each person: facerecd enroll NAME PHOTO… enrols one person", f.dir)
	}
	if len(f.people) == 0 {
		return f, fmt.Errorf("%s holds no folders with photos (JPEG, PNG or WebP), one for each person", f.dir)
	}
	return f, nil
}

func (f *albums) fill(a *album, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list photos: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil || strings.HasPrefix(e.Name(), ".") || !info.Mode().IsRegular():
		case isPhoto(path):
			a.files = append(a.files, path)
		default:
			f.others++
		}
	}
	return nil
}

func isPhoto(path string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".png", ".webp"}, strings.ToLower(filepath.Ext(path)))
}
