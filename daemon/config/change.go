package config

import (
	"reflect"
	"slices"
)

// Changed lists the keys whose values differ, in the order of the file. The
// keys of a camera that only one of the two has differ.
func (c Config) Changed(other Config) []string {
	before, after := byKey(c), byKey(other)
	var changed []string
	for _, k := range append(before.keys, after.keys...) {
		b, was := before.values[k]
		a, is := after.values[k]
		if (was != is || !reflect.DeepEqual(a, b)) && !slices.Contains(changed, k) {
			changed = append(changed, k)
		}
	}
	return changed
}

type keyed struct {
	keys   []string
	values map[string]any
}

func byKey(c Config) keyed {
	k := keyed{values: map[string]any{}}
	for _, l := range leaves(&c) {
		k.keys, k.values[l.path] = append(k.keys, l.path), l.value.Interface()
	}
	return k
}
