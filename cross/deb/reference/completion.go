package main

import (
	"fmt"
	"strings"
)

const generated = "# Made by cross/deb/reference with the package.\n"

// bash completes commands and flags; what follows a flag is a file name, which
// bash completes by itself.
func (t tree) bash() string {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString(`_facerecd() {
	local current=${COMP_WORDS[COMP_CWORD]} words=
	case "${COMP_WORDS[*]:1:COMP_CWORD-1} " in
`)
	for _, c := range t.commands { // the longest first: people list before people
		fmt.Fprintf(&b, "	%q*) words=%q ;;\n", c.name()+" ", strings.Join(c.flagNames(), " "))
	}
	for _, g := range t.groups() {
		fmt.Fprintf(&b, "	%q) words=%q ;;\n", g+" ", strings.Join(t.words(g), " "))
	}
	fmt.Fprintf(&b, "	' ') words=%q ;;\n", strings.Join(t.words(), " "))
	b.WriteString(`	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o bashdefault -o default -F _facerecd facerecd
`)
	return b.String()
}

func (t tree) zsh() string {
	var b strings.Builder
	b.WriteString("#compdef facerecd\n" + generated)
	b.WriteString("_facerecd() {\n	local -a commands\n	case \"${words[2,CURRENT-1]} \" in\n")
	for _, c := range t.commands {
		fmt.Fprintf(&b, "	%s*) _arguments", quoted(c.name()+" "))
		for _, f := range c.flags {
			value := ""
			if f.value != "" {
				value = "=:" + strings.ToLower(f.value) + ":_files"
			}
			if value != "" {
				fmt.Fprintf(&b, " \\\n		%s", quoted(strings.Replace(f.name+value, "=:", "=["+bracketed(f.help)+"]:", 1)))
			} else {
				fmt.Fprintf(&b, " \\\n		%s", quoted(f.name+"["+bracketed(f.help)+"]"))
			}
		}
		b.WriteString(" \\\n		'*:file:_files' ;;\n")
	}
	describe := func(path ...string) {
		b.WriteString(" commands=(")
		for _, word := range t.words(path...) {
			fmt.Fprintf(&b, "\n		%s", quoted(word+":"+t.summary(append(path, word)...)))
		}
		b.WriteString(")\n		_describe command commands ;;\n")
	}
	for _, g := range t.groups() {
		fmt.Fprintf(&b, "	%s)", quoted(g+" "))
		describe(g)
	}
	b.WriteString("	' ')")
	describe()
	b.WriteString("	esac\n}\n_facerecd \"$@\"\n")
	return b.String()
}

func (t tree) fish() string {
	var b strings.Builder
	b.WriteString(generated)
	for _, word := range t.words() {
		fmt.Fprintf(&b, "complete -c facerecd -n __fish_use_subcommand -f -a %s -d %s\n", word, quoted(t.summary(word)))
	}
	for _, g := range t.groups() {
		words := t.words(g)
		for _, word := range words {
			fmt.Fprintf(&b, "complete -c facerecd -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s' -f -a %s -d %s\n",
				g, strings.Join(words, " "), word, quoted(t.summary(g, word)))
		}
	}
	for _, c := range t.commands {
		seen := "__fish_seen_subcommand_from " + strings.Join(c.path, "; and __fish_seen_subcommand_from ")
		for _, f := range c.flags {
			value := ""
			if f.value != "" {
				value = " -r -F"
			}
			fmt.Fprintf(&b, "complete -c facerecd -n %s -l %s%s -d %s\n", quoted(seen), strings.TrimPrefix(f.name, "--"), value, quoted(f.help))
		}
	}
	return b.String()
}

// summary is the first sentence of the command's own help, or a group's name.
func (t tree) summary(path ...string) string {
	for _, c := range t.commands {
		if c.name() == strings.Join(path, " ") {
			return c.about[0]
		}
	}
	return strings.Join(t.words(path...), ", ")
}

// quoted is for any of the three shells: fish wants no '\” trick, so a quote
// in a help text becomes a typographic one.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "’") + "'" }

// bracketed escapes what ends a description in zsh's _arguments.
func bracketed(s string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}
