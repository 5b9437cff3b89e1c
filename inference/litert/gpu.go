package litert

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"unsafe"
)

// AcceleratorFile is the library that runs models on a GPU, through Vulkan. It
// is closed source, and part of the same wheel as libLiteRt.so.
const AcceleratorFile = "libLiteRtWebGpuAccelerator.so"

const gpuRemedy = "the facerecd package does not bring it: docs/gpu.md says how to add it"

// gpu is the environment of models that run on the GPU. It is apart from that
// of the CPU's, so that what is not on the GPU runs as if there were none.
type gpu struct {
	env environment
	dir []byte // for LiteRT, which does not promise to copy it
}

// EnableGPU loads AcceleratorFile from the folder dir, for Options.GPU. A second
// call does nothing.
//
// The library may end the process: on a processor that lacks what it was compiled
// for, and when the driver of the GPU crashes. So try it in another process first.
// It says nothing about whether there is a GPU, which Open does.
func (l *Library) EnableGPU(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gpu.env != 0 {
		return nil
	}
	if err := l.enableGPU(dir); err != nil {
		return fmt.Errorf("load the GPU's library %s: %w", filepath.Join(dir, AcceleratorFile), err)
	}
	return nil
}

// enableGPU is EnableGPU for one who holds mu.
func (l *Library) enableGPU(dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	// LiteRT only warns of a file that it cannot load.
	switch err := checkELF(filepath.Join(dir, AcceleratorFile)); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; %s", err, gpuRemedy)
	case err != nil:
		return err
	}
	text, err := mapReadOnly([]byte(dir + "\x00"))
	if err != nil {
		return err
	}
	opts := []envOption{
		{tag: envMinLoggerSeverity, anyType: anyTypeInt, value: severityWarning},
		{tag: envRuntimeLibraryDir, anyType: anyTypeString, value: int64(uintptr(unsafe.Pointer(unsafe.SliceData(text))))},
		{tag: envAutoRegisterAccelerators, anyType: anyTypeInt, value: int64(acceleratorGPU)},
	}
	var env environment
	err = l.says.explain(l.c.createEnvironment(int32(len(opts)), &opts[0], &env).err("create environment"), nil)
	if err != nil {
		return errors.Join(err, unmap(text))
	}
	l.gpu.env, l.gpu.dir = env, text
	return nil
}
