package config

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
)

// Slug makes a name into one level of an MQTT topic: lower case, Latin letters
// without their accents, only a-z, 0-9, _ and -, never empty. The slug of a
// slug is itself.
//
// When letters or digits are lost, as from a name in another script, or nothing
// is left, the slug ends in a hash of the name: different names stay apart.
func Slug(name string) string {
	var s strings.Builder
	lost := false
	for _, r := range strings.ToLower(name) {
		switch folded := fold(r); {
		case folded != "":
			s.WriteString(folded)
		case unicode.Is(unicode.Mn, r): // an accent that is written on its own
		default:
			lost = lost || unicode.IsLetter(r) || unicode.IsNumber(r) || r == unicode.ReplacementChar
			if s.Len() > 0 && !strings.HasSuffix(s.String(), "-") {
				s.WriteByte('-')
			}
		}
	}
	slug := strings.TrimRight(s.String(), "-")
	if slug != "" && !lost {
		return slug
	}
	hash := fnv.New32a()
	hash.Write([]byte(name))
	if slug != "" {
		slug += "-"
	}
	return fmt.Sprintf("%s%08x", slug, hash.Sum32())
}

// fold returns what stands for the lower-case rune in a slug, "" for nothing.
func fold(r rune) string {
	if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' {
		return string(r)
	}
	const accented = "" +
		"àa áa âa ãa äa åa āa ăa ąa çc ćc ĉc ċc čc ďd đd ðd èe ée êe ëe ēe ĕe ėe ęe ěe ĝg ğg ġg ģg ĥh ħh " +
		"ìi íi îi ïi ĩi īi ĭi įi ıi ĵj ķk ĺl ļl ľl łl ñn ńn ņn ňn òo óo ôo õo öo øo ōo ŏo őo ŕr ŗr řr " +
		"śs ŝs şs šs șs ţt ťt țt ùu úu ûu üu ũu ūu ŭu ůu űu ųu ŵw ýy ÿy ŷy źz żz žz ßss æae œoe þth"
	if i := strings.IndexRune(accented, r); r > unicode.MaxASCII && i >= 0 {
		folded, _, _ := strings.Cut(accented[i+len(string(r)):], " ")
		return folded
	}
	return ""
}
