package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const (
	envPrefix = "FACERECD_"

	// maxCameras bounds what FACERECD_CAMERAS_<n>_… can ask for.
	maxCameras = 64
)

// notKeys are the variables with our prefix that others read: the library
// search, and the command line.
func notKeys() []string { return []string{"FACERECD_LITERT", "FACERECD_CONFIG"} }

// override sets in c what env sets, and returns what it could not understand.
func override(c *Config, env []string) []error {
	set := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(notKeys(), name) {
			set[name] = value
		}
	}
	cameras := 0
	for name := range set {
		cameras = max(cameras, index(name, "cameras", maxCameras, reflect.TypeFor[Camera]())+1)
	}
	for len(c.Cameras) < cameras {
		c.Cameras = append(c.Cameras, DefaultCamera())
	}
	for i := range c.Cameras {
		zones := 0
		for name := range set {
			zones = max(zones, index(name, fmt.Sprintf("cameras[%d].zones", i), maxZones, reflect.TypeFor[Zone]())+1)
		}
		for len(c.Cameras[i].Zones) < zones {
			c.Cameras[i].Zones = append(c.Cameras[i].Zones, Zone{})
		}
	}

	byName := map[string]leaf{}
	for _, l := range leaves(c) {
		byName[EnvName(l.path)] = l
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(set)) {
		l, ok := byName[name]
		if !ok {
			problems = append(problems, fmt.Errorf("unknown variable %s in the environment; %s", name, suggestVariable(name, byName)))
		} else if err := l.set(set[name]); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w, in %s", l.path, err, name))
		}
	}
	return problems
}

// EnvName returns the environment variable that overrides the key at path:
// FACERECD_CAMERAS_0_FPS for cameras[0].fps.
func EnvName(path string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(path))
}

// index returns the n of FACERECD_CAMERAS_<n>_… for the list at path, whose
// entries have keys of their own; else, or when it is most or more, -1.
func index(name, path string, most int, entry reflect.Type) int {
	rest, ok := strings.CutPrefix(name, EnvName(path)+"_")
	if !ok {
		return -1
	}
	digits, key, _ := strings.Cut(rest, "_")
	n, err := strconv.Atoi(digits)
	known := slices.ContainsFunc(keys(entry), func(k string) bool {
		return strings.EqualFold(key, k) || k == "zones" && strings.HasPrefix(key, "ZONES_")
	})
	if err != nil || n < 0 || n >= most || !known {
		return -1
	}
	return n
}

func suggestVariable(name string, byName map[string]leaf) string {
	if near := nearest(name, slices.Sorted(maps.Keys(byName))); near != "" {
		return "did you mean " + near + "?"
	}
	return "unset it, or name a key as in FACERECD_MQTT_BROKER for mqtt.broker"
}
