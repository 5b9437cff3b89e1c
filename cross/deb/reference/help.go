package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tree is the whole command line.
type tree struct {
	about    string
	commands []command // the leaves, in the program's order
}

// command is one thing that the program does.
type command struct {
	path  []string // as in people, rename
	usage string   // what follows "facerecd"
	about []string // paragraphs
	args  []entry
	flags []entry
}

// entry is an argument or a flag.
type entry struct {
	short string // as in -h, or empty
	name  string // as in --server, or <photo>
	value string // as in URL; empty when it takes none
	help  string
}

func (c command) name() string { return strings.Join(c.path, " ") }

// load asks for the help of the program and of each of its commands.
func load(help func(args ...string) (string, error)) (tree, error) {
	text, err := help()
	if err != nil {
		return tree{}, err
	}
	top := parse(text)
	t := tree{about: strings.Join(top.about, " ")}
	lines := top.sections["Commands"]
	for i, line := range lines {
		if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "    ") {
			continue
		}
		var path []string
		for word := range strings.FieldsSeq(line) {
			if !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(word) {
				break
			}
			path = append(path, word)
		}
		if len(path) == 0 {
			return tree{}, fmt.Errorf("no command in line %d of the list: %q", i+1, line)
		}
		text, err := help(path...)
		if err != nil {
			return tree{}, err
		}
		h := parse(text)
		c := command{path: path, usage: h.usage, about: h.about}
		for _, line := range h.sections["Arguments"] {
			c.args = append(c.args, entryOf(line))
		}
		for _, line := range h.sections["Flags"] {
			c.flags = append(c.flags, entryOf(line))
		}
		if len(c.about) == 0 || !slices.ContainsFunc(c.flags, func(e entry) bool { return e.name == "--help" }) {
			return tree{}, fmt.Errorf("%s --help was not understood: %q", c.name(), text)
		}
		t.commands = append(t.commands, c)
	}
	if len(t.commands) == 0 {
		return tree{}, fmt.Errorf("no commands in %q", text)
	}
	return t, nil
}

// help is one answer to --help.
type help struct {
	usage    string
	about    []string
	sections map[string][]string // lines that are not empty
}

func parse(text string) help {
	h := help{sections: map[string][]string{}}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "Usage: facerecd"):
			h.usage = strings.TrimSpace(strings.TrimPrefix(line, "Usage: facerecd"))
		case !strings.HasPrefix(line, " ") && strings.HasSuffix(line, ":"):
			section = strings.TrimSuffix(line, ":")
		case section == "":
			h.about = append(h.about, line)
		case strings.HasPrefix(line, " "):
			h.sections[section] = append(h.sections[section], line)
		}
	}
	return h
}

// entryOf reads a line such as
//
//	-h, --help    Show help.
//	    --server=URL    The address.
//	<photo>    JPEG or PNG.
func entryOf(line string) entry {
	spec, text, _ := strings.Cut(strings.TrimSpace(line), "  ")
	e := entry{name: spec, help: strings.TrimSpace(text)}
	if short, rest, ok := strings.Cut(spec, ", --"); ok {
		e.short, e.name = short, "--"+rest
	}
	if strings.HasPrefix(e.name, "--") {
		e.name, e.value, _ = strings.Cut(e.name, "=")
	}
	return e
}

// words returns what may follow the path on the command line, in order.
func (t tree) words(path ...string) []string {
	var words []string
	for _, c := range t.commands {
		if len(c.path) > len(path) && slices.Equal(c.path[:len(path)], path) && !slices.Contains(words, c.path[len(path)]) {
			words = append(words, c.path[len(path)])
		}
	}
	return words
}

// groups are the first words of commands with two.
func (t tree) groups() []string {
	var groups []string
	for _, c := range t.commands {
		if len(c.path) > 1 && !slices.Contains(groups, c.path[0]) {
			groups = append(groups, c.path[0])
		}
	}
	return groups
}

func (c command) flagNames() []string {
	var names []string
	for _, f := range c.flags {
		names = append(names, f.name)
	}
	return names
}
