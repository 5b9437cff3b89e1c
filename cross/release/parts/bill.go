package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
)

// The parts of CycloneDX 1.5 that are needed (cyclonedx.org, JSON). There is no
// serial number and no time, so that equal releases have equal bills.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string    `json:"type"`
	Ref      string    `json:"bom-ref,omitempty"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	PURL     string    `json:"purl,omitempty"`
	Hashes   []hash    `json:"hashes,omitempty"`
	Licenses []licence `json:"licenses,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	Expression string `json:"expression"`
}

func bill(version string, parts []part) document {
	d := document{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata: metadata{component{Type: "application", Ref: "facerecd", Name: "facerecd", Version: version, Licenses: []licence{{"Apache-2.0"}}}},
	}
	for _, p := range parts {
		c := component{Type: p.kind, Ref: p.name, Name: p.name, Version: p.version, PURL: p.purl, Licenses: []licence{{p.licence}}}
		if p.sha256 != "" {
			c.Hashes = []hash{{"SHA-256", p.sha256}}
		}
		d.Components = append(d.Components, c)
	}
	return d
}

func sha256File(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: run cross/fetch.py runtime --arch all", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
