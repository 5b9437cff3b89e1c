package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decode sets in c what the document sets, and returns what it could not
// understand. It walks the parsed document itself, where yaml.Strict would
// stop at the first unknown key and know nothing of its neighbours.
func decode(data []byte, c *Config) []error {
	_, problems := decodeKeys(data, c)
	return problems
}

// decodeKeys also returns the keys that hold a value in the document.
func decodeKeys(data []byte, c *Config) (map[string]bool, []error) {
	// Duplicates are let through here to be reported like everything else.
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []error{syntax(err)}
	}
	d := decoder{set: map[string]bool{}}
	for i, doc := range file.Docs {
		switch {
		case doc.Body == nil: // comments only
		case i > 0:
			d.fail("a second document begins at line %d: remove the --- before it", line(doc.Body))
		default:
			d.value(doc.Body, "", reflect.ValueOf(c).Elem())
		}
	}
	return d.set, d.problems
}

func syntax(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return fmt.Errorf("not YAML: %w", err)
	}
	return fmt.Errorf("not YAML at line %d: %s", e.GetToken().Position.Line, e.GetMessage())
}

// decoder collects what is wrong with a document.
type decoder struct {
	problems []error
	set      map[string]bool // the keys that hold a value in the document
}

func (d *decoder) fail(format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf(format, args...))
}

// value stores node in v, whose key is at path.
func (d *decoder) value(node ast.Node, path string, v reflect.Value) {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		// Without them no small file can become a large configuration.
		d.fail("%sanchors, aliases and tags (&, *, !) are not read, at line %d: write the value out", prefix(path), line(node))
		return
	}
	if _, ok := v.Addr().Interface().(listed); ok {
		d.listed(node, leaf{path, v})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(node, path, v)
	case reflect.Slice:
		d.list(node, path, v)
	default:
		d.scalar(node, leaf{path, v})
	}
}

func (d *decoder) mapping(node ast.Node, path string, v reflect.Value) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.NullNode:
		return
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		d.fail("%sfound %s at line %d, where keys belong: %s", prefix(path), kind(node), line(node), strings.Join(keys(v.Type()), ", "))
		return
	}
	first := map[string]int{}
	for _, entry := range entries {
		name := entry.Key.GetToken().Value
		at := line(entry.Key)
		i := slices.Index(keys(v.Type()), name)
		switch before, twice := first[name]; {
		case twice:
			d.fail("%s: set at line %d and again at line %d: remove one", join(path, name), before, at)
		case i < 0:
			d.fail("unknown key %q at line %d; %s", join(path, name), at, suggestKey(path, name, v.Type()))
		default:
			d.value(entry.Value, join(path, name), v.Field(i))
		}
		if _, twice := first[name]; !twice {
			first[name] = at
		}
	}
}

// list reads the cameras, or the zones of one.
func (d *decoder) list(node ast.Node, path string, v reflect.Value) {
	var entries []ast.Node
	switch n := node.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		entries = n.Values
	default:
		d.fail("%s: found %s at line %d, where a list belongs: begin each entry with -", path, kind(node), line(node))
		return
	}
	v.SetZero()
	for i, entry := range entries {
		at := fmt.Sprintf("%s[%d]", path, i)
		e := reflect.New(v.Type().Elem()).Elem()
		if c, ok := e.Addr().Interface().(*Camera); ok {
			*c = DefaultCamera()
		}
		before := len(d.problems)
		d.value(entry, at, e)
		if kind(entry) == "keys" || len(d.problems) == before {
			v.Set(reflect.Append(v, e)) // else what it lacks would only repeat that it has no keys
		}
	}
}

func (d *decoder) scalar(node ast.Node, l leaf) {
	if _, ok := node.(*ast.NullNode); ok { // "token_file:" alone
		d.set[l.path] = true
		return
	}
	text, ok := plain(node)
	if !ok {
		d.fail("%s: found %s at line %d, where a single value belongs", l.path, kind(node), line(node))
		return
	}
	d.store(node, l, text)
}

// listed reads a list of values, or of lists of them.
func (d *decoder) listed(node ast.Node, l leaf) {
	list, ok := node.(*ast.SequenceNode)
	if !ok && kind(node) == "keys" {
		d.fail("%s: found keys at line %d, where a list belongs: write it in brackets", l.path, line(node))
		return
	}
	if !ok {
		d.scalar(node, l)
		return
	}
	var entries []string
	for _, entry := range list.Values {
		text, ok := plain(entry)
		if inner, isList := entry.(*ast.SequenceNode); isList {
			var values []string
			for _, value := range inner.Values {
				text, ok = plain(value)
				if !ok {
					break
				}
				values = append(values, text)
			}
			text = strings.Join(values, ",")
		}
		if !ok {
			d.fail("%s: cannot read the entry at line %d: write a list of plain values", l.path, line(entry))
			return
		}
		entries = append(entries, text)
	}
	d.store(node, l, strings.Join(entries, " "))
}

// plain is the text of a single value.
func plain(node ast.Node) (text string, ok bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true // as written: a device called 007 keeps its zeros
	}
	return "", false
}

func (d *decoder) store(node ast.Node, l leaf, text string) {
	if err := l.set(text); err != nil {
		d.fail("%s: %w, at line %d", l.path, err, line(node))
		return
	}
	d.set[l.path] = true
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func line(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// kind names a node as somebody who writes YAML would.
func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys"
	case *ast.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}
