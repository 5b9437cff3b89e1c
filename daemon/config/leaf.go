package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"facerecd/capture/source"
)

// leaf is one key that holds a single value.
type leaf struct {
	path  string // as in the file: mqtt.tls.ca, cameras[0].fps
	value reflect.Value
}

// leaves returns every leaf of c, in the order of the file.
func leaves(c *Config) []leaf {
	return appendLeaves(nil, "", reflect.ValueOf(c).Elem())
}

// listed is a key's value that the file has as a list, and the environment as the
// same with blanks between its entries and commas within them. Pointers
// implement it.
type listed interface {
	parse(text string) error
	String() string
}

func appendLeaves(all []leaf, path string, v reflect.Value) []leaf {
	if _, ok := v.Addr().Interface().(listed); ok {
		return append(all, leaf{path, v})
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			all = appendLeaves(all, join(path, key(v.Type().Field(i))), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = appendLeaves(all, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	default:
		all = append(all, leaf{path, v})
	}
	return all
}

// key is the name of a field in the file.
func key(f reflect.StructField) string { return f.Tag.Get("yaml") }

// keys lists the names of a struct's fields in the file.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, key(t.Field(i)))
	}
	return names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// set parses text into the leaf; the error continues "mqtt.discovery: ".
func (l leaf) set(text string) error {
	switch p := l.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = n
	case *float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*p = x
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a time such as 3s or 500ms", text)
		}
		*p = d
	case *slog.Level:
		// slog's own parser also takes INFO+2, of which nobody knows what it shows.
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, text) || p.UnmarshalText([]byte(text)) != nil {
			return fmt.Errorf("%q is none of debug, info, warn, error", text)
		}
	case listed:
		return p.parse(text)
	default:
		return errors.ErrUnsupported // a field of a type that no key has yet; TestEveryKeyCanBeSet finds it
	}
	return nil
}

// shown is the leaf's value for people, without the password that an address
// may carry.
func (l leaf) shown() string {
	if list, ok := l.value.Addr().Interface().(listed); ok {
		return strconv.Quote(list.String())
	}
	switch v := l.value.Interface().(type) {
	case slog.Level:
		return strings.ToLower(v.String())
	case string:
		switch {
		case l.path == "mqtt.broker" && strings.Contains(v, "@"):
			return shownBroker(v)
		case strings.HasSuffix(l.path, ".source"):
			v = source.Shown(v)
		}
		return strconv.Quote(v)
	}
	return fmt.Sprint(l.value.Interface())
}

// shownBroker is an address, which has not been checked yet, without its user
// and password.
func shownBroker(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return "(hidden)"
	}
	return u.Scheme + "://(hidden)@" + u.Host + u.Path
}
