package main

import (
	"encoding/json"
	"os"
	"testing"
)

func TestLicencesAreToldApart(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Apache License\n  Version 2.0, January 2004", "Apache-2.0"},
		{"Permission is hereby granted,\nfree of charge, to any", "MIT"},
		{"Redistribution and use in source and binary forms ... Neither the name of Google", "BSD-3-Clause"},
		{"Redistribution and use in source and binary forms, with or without", "BSD-2-Clause"},
		{"Apache License Version 2.0 ... Permission is hereby granted, free of charge", "Apache-2.0 AND MIT"},
		{"Eclipse Public License - v 2.0 (EPL-2.0) ... Neither the name of", "EPL-2.0 OR BSD-3-Clause"},
		{"All rights reserved.", ""},
	} {
		if got := licenceOf(c.text); got != c.want {
			t.Errorf("%q is %q, want %q", c.text, got, c.want)
		}
	}
}

// This test's own binary stands for the one that is packaged.
func TestBillNamesTheGoLibraryAndEveryModelWithItsHash(t *testing.T) {
	t.Chdir("../../..")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parts, err := modules(exe)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := models("models/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(bill("1.2", append(parts, weights...)))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	found := map[string]component{}
	for _, c := range d.Components {
		found[c.Name] = c
		if len(c.Licenses) != 1 || c.Licenses[0].Expression == "" || c.Version == "" || c.PURL == "" {
			t.Errorf("%+v lacks a licence, a version or a purl", c)
		}
	}
	if _, ok := found["std"]; !ok {
		t.Error("Go's own library is missing")
	}
	for _, file := range []string{"detector.tflite", "detector_short.tflite", "landmarks.tflite", "embedding.tflite"} {
		sum, err := sha256File("models/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if c := found[file]; len(c.Hashes) != 1 || c.Hashes[0].Content != sum {
			t.Errorf("%s has the hashes %v, want %s", file, c.Hashes, sum)
		}
	}
}
