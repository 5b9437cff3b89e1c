// Command parts lists what a package consists of: the Go modules in the
// binary, the runtime and the models.
//
//	go run ./cross/release/parts -binary bin/linux-arm64/facerecd -sbom FILE       # CycloneDX 1.5
//	go run ./cross/release/parts -binary bin/linux-arm64/facerecd -licences FILE   # their licences, in full
//
// What is in the binary is read from the binary, where Go's linker wrote it.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	binary := flag.String("binary", "", "the binary that is packaged")
	version := flag.String("version", "", "of the package")
	sbom := flag.String("sbom", "", "file to write the bill of materials to")
	licences := flag.String("licences", "", "file to write the licences to")
	flag.Parse()
	if err := run(*binary, *version, *sbom, *licences); err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
		os.Exit(1)
	}
}

func run(binary, version, sbom, licences string) error {
	parts, err := modules(binary)
	if err != nil {
		return err
	}
	if licences != "" {
		text, err := licenceText(parts)
		if err != nil {
			return err
		}
		if err := os.WriteFile(licences, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if sbom == "" {
		return nil
	}
	runtime, err := runtimePart(filepath.Base(filepath.Dir(binary)))
	if err != nil {
		return err
	}
	weights, err := models("models/manifest.json")
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(bill(version, slices.Concat(parts, []part{runtime}, weights)), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(sbom, append(data, '\n'), 0o644)
}

// part is something that others made.
type part struct {
	kind     string // CycloneDX's word: library, machine-learning-model
	name     string
	version  string
	purl     string
	licence  string   // SPDX identifier
	sha256   string   // of the file that is shipped, where it is one
	licences []string // files
}

// modules returns Go's own library and what the binary was linked with.
func modules(binary string) ([]part, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask go for its folder: %w", err)
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	std, err := module("std", goVersion, strings.TrimSpace(string(root)))
	if err != nil {
		return nil, err
	}
	parts := []part{std}
	for _, dep := range info.Deps {
		out, err := exec.Command("go", "mod", "download", "-json", dep.Path+"@"+dep.Version).Output()
		if err != nil {
			return nil, fmt.Errorf("find the source of %s: %w", dep.Path, err)
		}
		var where struct{ Dir string }
		if err := json.Unmarshal(out, &where); err != nil {
			return nil, fmt.Errorf("find the source of %s: %w", dep.Path, err)
		}
		p, err := module(dep.Path, dep.Version, where.Dir)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|edl-|epl-)`)

func module(path, version, dir string) (part, error) {
	p := part{kind: "library", name: path, version: version, purl: "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")}
	list, err := os.ReadDir(dir)
	if err != nil {
		return part{}, fmt.Errorf("read the source of %s: %w", path, err)
	}
	for _, file := range list {
		if !file.IsDir() && licenceFile.MatchString(file.Name()) && !strings.HasSuffix(file.Name(), ".go") {
			p.licences = append(p.licences, filepath.Join(dir, file.Name()))
		}
	}
	for _, file := range p.licences {
		text, err := os.ReadFile(file)
		if err != nil {
			return part{}, fmt.Errorf("read the licence of %s: %w", path, err)
		}
		if p.licence = licenceOf(string(text)); p.licence != "" {
			return p, nil
		}
	}
	return part{}, fmt.Errorf("%s %s: no licence that this program knows in %s: read it, and teach licenceOf", path, version, dir)
}

// licenceOf tells the usual licences apart by a phrase that only they have. A
// file with several is under all of them, but for paho's, which offers a choice.
func licenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if strings.Contains(text, "Eclipse Public License - v 2.0") {
		return "EPL-2.0 OR BSD-3-Clause"
	}
	var found []string
	for _, known := range []struct{ phrase, id string }{
		{"Apache License Version 2.0", "Apache-2.0"},
		{"Mozilla Public License Version 2.0", "MPL-2.0"},
		{"Permission is hereby granted, free of charge", "MIT"},
		{"Neither the name of", "BSD-3-Clause"},
		{"Altered source versions must be plainly marked as such", "Zlib"},
	} {
		if strings.Contains(text, known.phrase) {
			found = append(found, known.id)
		}
	}
	if len(found) == 0 && strings.Contains(text, "Redistribution and use in source and binary forms") {
		return "BSD-2-Clause"
	}
	return strings.Join(found, " AND ")
}

func licenceText(parts []part) (string, error) {
	var b strings.Builder
	b.WriteString("The program facerecd is linked with these Go modules.\n")
	for _, p := range parts {
		for _, file := range p.licences {
			text, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("read the licence of %s: %w", p.name, err)
			}
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%[1]s\n\n%[5]s\n", strings.Repeat("=", 78), p.name, p.version, filepath.Base(file), strings.TrimSpace(string(text)))
		}
	}
	return b.String(), nil
}

// runtimePart is libLiteRt.so as cross/fetch.py has fetched and checked it.
func runtimePart(target string) (part, error) {
	pins, err := os.ReadFile("cross/runtime/requirements.txt")
	if err != nil {
		return part{}, err
	}
	found := regexp.MustCompile(`(?m)^ai-edge-litert==(\S+)`).FindSubmatch(pins)
	if found == nil {
		return part{}, errors.New("cross/runtime/requirements.txt pins no ai-edge-litert")
	}
	arch := strings.TrimPrefix(target, "linux-")
	sum, err := sha256File(filepath.Join(".cache/litert", arch, "libLiteRt.so"))
	if err != nil {
		return part{}, err
	}
	version := string(found[1])
	return part{kind: "library", name: "ai-edge-litert", version: version, purl: "pkg:pypi/ai-edge-litert@" + version, licence: "Apache-2.0", sha256: sum}, nil
}

func models(manifest string) ([]part, error) {
	data, err := os.ReadFile(manifest)
	if err != nil {
		return nil, err
	}
	var pack struct {
		Models map[string]struct {
			File, SHA256, Licence string
			Source                struct{ Package, Version string }
		}
	}
	if err := json.Unmarshal(data, &pack); err != nil {
		return nil, fmt.Errorf("read %s: %w", manifest, err)
	}
	var parts []part
	for _, m := range pack.Models {
		if m.File == "" || m.SHA256 == "" || m.Source.Package == "" {
			return nil, fmt.Errorf("%s: a model without file, sha256 or source", manifest)
		}
		parts = append(parts, part{
			kind: "machine-learning-model", name: m.File, version: m.Source.Version, sha256: m.SHA256, licence: m.Licence,
			purl: "pkg:npm/" + strings.Replace(m.Source.Package, "@", "%40", 1) + "@" + m.Source.Version,
		})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}
