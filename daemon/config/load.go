package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFile is several times a file with maxCameras. The YAML parser's time grows
// with the square of some inputs: 3 s for 32 KiB of brackets, an hour for 1 MiB.
const maxFile = 32 << 10

// Error is a configuration that cannot be used, with all that is wrong about
// it. Trying again does not help; changing the file does.
type Error struct {
	File     string  // "" when there is none
	Problems []error // each begins with the key, and says what to do
}

func (e *Error) Error() string {
	from := e.File
	if from == "" {
		from = "the environment"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "bad configuration in %s:", from)
	for _, problem := range e.Problems {
		fmt.Fprintf(&s, "\n  %v", problem)
	}
	return s.String()
}

// Unwrap returns the problems.
func (e *Error) Unwrap() []error { return e.Problems }

// Load returns the defaults, changed by the file at path, unless that is "",
// then by the FACERECD_ variables of env, which is like os.Environ's. Whatever
// is wrong with the result is in the one *Error.
func Load(path string, env []string) (Config, error) {
	var data []byte
	if path != "" {
		var err error
		if data, err = readFile(path); err != nil {
			return Config{}, &Error{path, []error{err}}
		}
	}
	c, problems := parse(data, env)
	if c.Device == "" {
		host, err := os.Hostname()
		if err != nil {
			problems = append(problems, fmt.Errorf("device: the machine has no host name (%w); set a name", err))
		}
		c.Device = host
	}
	// Values that could not be read are still the defaults, which checking them
	// should not report again.
	said := map[string]bool{}
	for _, problem := range problems {
		said[keyOf(problem)] = true
	}
	problems = append(problems, slices.DeleteFunc(c.problems(), func(problem error) bool { return said[keyOf(problem)] })...)
	if problems != nil {
		return Config{}, &Error{path, problems}
	}
	return c, nil
}

// keyOf is the key that a problem begins with.
func keyOf(problem error) string {
	key, _, _ := strings.Cut(problem.Error(), ": ")
	return key
}

// parse lays the file and then the environment over the defaults.
func parse(data []byte, env []string) (Config, []error) {
	c := Default()
	problems := decode(data, &c)
	problems = append(problems, override(&c, env)...)
	return c, append(problems, credentials(&c, env)...)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: create it, or name another with --config", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("the file is larger than %d KiB: is it the right one?", maxFile>>10)
	case bytes.ContainsRune(data, 0):
		return nil, errors.New("the file is not text: is it the right one?")
	}
	return data, nil
}
