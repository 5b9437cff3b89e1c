package config

import (
	"strings"
	"testing"
)

func TestSlug(t *testing.T) {
	tests := []struct{ name, want string }{
		{"door", "door"},
		{"Front Door", "front-door"},
		{"  a -- b  ", "a-b"},
		{"a/b+c#d", "a-b-c-d"},
		{"under_score", "under_score"},
		{"Ana María Núñez", "ana-maria-nunez"},
		{"Ana Mari\u0301a", "ana-maria"},
		{"Łukasz Øster Æsir Straße", "lukasz-oster-aesir-strasse"},
		{"İstanbul", "istanbul"},
		{"O'Neil", "o-neil"},
		{"李明", "ad55fab2"},
		{"李明 2", "2-c0d16fec"},
		{"", "811c9dc5"},
		{"!!!", "2d53a722"},
		{"a\xff", "a-d225d729"},
	}
	for _, tt := range tests {
		if got := Slug(tt.name); got != tt.want {
			t.Errorf("Slug(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSlugsOfLostLettersStayApart(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"Аня", "Оля", "李", "王", "李 1", "王 1", "१", "२", "!", "?"} {
		slug := Slug(name)
		if other, taken := seen[slug]; taken {
			t.Errorf("%q and %q share %q", name, other, slug)
		}
		seen[slug] = name
	}
}

func FuzzSlug(f *testing.F) {
	for _, name := range []string{"door", "Ana María", "李明 2", "", "a\xff", "İ", "--", "ǅ"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		slug := Slug(name)
		if slug == "" || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			t.Errorf("Slug(%q) = %q is no topic level", name, slug)
		}
		if again := Slug(slug); again != slug {
			t.Errorf("Slug(%q) = %q, whose slug is %q", name, slug, again)
		}
	})
}
