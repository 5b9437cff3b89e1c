//go:build !linux

package child

import (
	"errors"
	"os/exec"
)

// process is there so that the package builds; cameras need Linux.
type process struct{}

func startProcess(*exec.Cmd) (*process, error) {
	return nil, errors.New("cameras of this kind need Linux")
}

func (*process) stop() error { return nil }
func (*process) end() string { return "" }
