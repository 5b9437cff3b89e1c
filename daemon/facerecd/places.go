package main

import (
	"fmt"
	"os"
	"path/filepath"

	"facerecd/daemon/config"
)

// findModels returns where the model pack is: as configured, or in a checkout
// that nobody has installed.
func findModels(configured string) string {
	if configured != config.Default().Models {
		return configured
	}
	for _, dir := range append([]string{configured}, checkout("models")...) {
		if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
			return dir
		}
	}
	return configured
}

// findCache returns a folder that make deps has fetched.
func findCache(name string) (string, error) {
	for _, dir := range checkout(filepath.Join(".cache", name)) {
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("the demo's photos are missing: run `make deps` in a checkout of facerecd, or use `make run`")
}

// checkout is where a path of the repository may be: below the folder that
// holds bin/facerecd, or below the working directory.
func checkout(path string) []string {
	var places []string
	if exe, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(filepath.Dir(exe)), path))
	}
	if here, err := os.Getwd(); err == nil {
		places = append(places, filepath.Join(here, path))
	}
	return places
}
