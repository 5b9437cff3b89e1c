// Package litert runs .tflite models with LiteRT, the runtime that used to be
// TensorFlow Lite, without cgo: it loads libLiteRt.so when told to and calls
// it through purego. It is the only package that knows C.
//
// It is written against libLiteRt.so of the PyPI wheel ai-edge-litert 2.3.0,
// whose functions and structures are those of google-ai-edge/LiteRT, litert/c.
// Models run on the CPU, through XNNPACK, or on the GPU, through the wheel's
// libLiteRtWebGpuAccelerator.so, see EnableGPU.
//
// What LiteRT prints is part of the errors returned or goes to Options.Log,
// without its informational lines.
package litert

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

const (
	libraryFile = "libLiteRt.so"

	// PathVariable is the environment variable that may name the library.
	PathVariable = "FACERECD_LITERT"

	remedy = `run "make runtime", or install the facerecd package: ` +
		"facerecd needs libLiteRt.so from ai-edge-litert 2.3.0"
)

// Library is a loaded libLiteRt.so. It stays loaded until the process ends,
// since its threads and C++ statics cannot be taken back. All methods may be
// called from several goroutines.
type Library struct {
	path string
	c    symbols
	env  environment
	gpu  gpu
	says messages

	// LiteRT does not promise that models may be created and destroyed from
	// several threads at once.
	mu    sync.Mutex
	files files
}

// Find returns explicit, which must exist, or when that is empty the first of
// these files that exists: what $FACERECD_LITERT names,
// /usr/lib/facerecd/libLiteRt.so, ../.cache/litert/<GOARCH>/libLiteRt.so beside
// the folder of the executable, and .cache/litert/<GOARCH>/libLiteRt.so.
func Find(explicit string) (string, error) {
	if explicit != "" {
		return firstExisting([]string{explicit})
	}
	cache := filepath.Join(".cache", "litert", runtime.GOARCH, libraryFile)
	candidates := []string{os.Getenv(PathVariable), filepath.Join("/usr/lib/facerecd", libraryFile)}
	if exe, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(exe), "..", cache))
	}
	return firstExisting(append(candidates, cache))
}

func firstExisting(candidates []string) (string, error) {
	candidates = slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c == "" })
	for _, c := range candidates {
		if info, err := os.Stat(c); err == nil && !info.IsDir() {
			return c, nil
		}
	}
	return "", fmt.Errorf("find %s: %w in %s; %s", libraryFile, fs.ErrNotExist, strings.Join(candidates, ", "), remedy)
}

// Load loads the library at path and creates its environment. The error names
// the file, says what is wrong with it and how to get the right one.
func Load(path string) (*Library, error) {
	l := &Library{path: path, files: make(files)}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("load LiteRT library %s: %w; %s", path, err, remedy)
	}
	return l, nil
}

// Path is the file that was loaded.
func (l *Library) Path() string { return l.path }

func (l *Library) load() error {
	if err := checkELF(l.path); err != nil {
		return err
	}
	// Without a slash the dynamic linker would look in its own folders and
	// might load another file than the one just checked.
	path, err := filepath.Abs(l.path)
	if err != nil {
		return err
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("the dynamic linker refuses it: %w", err)
	}
	if missing := l.c.resolve(handle); len(missing) > 0 {
		// Nothing of this library has run but its initialisers, and it is not
		// LiteRT: let it go. Should that fail, it only stays mapped.
		_ = purego.Dlclose(handle)
		return fmt.Errorf("it lacks the symbols %s", strings.Join(missing, ", "))
	}
	if err := l.says.capture(&l.c); err != nil {
		return err
	}
	opts := []envOption{
		{tag: envMinLoggerSeverity, anyType: anyTypeInt, value: severityWarning},
		// The GPU has an environment of its own, for those who ask for it.
		{tag: envAutoRegisterAccelerators, anyType: anyTypeInt, value: int64(acceleratorCPU)},
	}
	err = l.c.createEnvironment(int32(len(opts)), &opts[0], &l.env).err("create environment")
	return l.says.explain(err, nil)
}

// checkELF says in plain words why path cannot be loaded into this process.
// The dynamic linker's own messages are terse, and a file cut short in the
// middle would pass it and crash later.
func checkELF(path string) error {
	f, err := os.Open(path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			return pathErr.Err // the path is already in the message
		}
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	lib, err := elf.NewFile(f)
	if err != nil {
		return fmt.Errorf("it is not a shared library, or it is damaged: %w", err)
	}
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	switch {
	case want == elf.EM_NONE:
		return fmt.Errorf("there is no LiteRT for %s, only for amd64 and arm64", runtime.GOARCH)
	case lib.Machine != want:
		return fmt.Errorf("it is for %s, but this program needs one for %s", machineName(lib.Machine), machineName(want))
	case lib.Type != elf.ET_DYN:
		return fmt.Errorf("it is no shared library but an ELF file of type %v", lib.Type)
	}
	for _, p := range lib.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz > uint64(info.Size()) {
			return fmt.Errorf("it is cut short at %d bytes", info.Size())
		}
	}
	return nil
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "x86-64 (amd64)"
	case elf.EM_AARCH64:
		return "AArch64 (arm64)"
	case elf.EM_ARM:
		return "32-bit ARM"
	case elf.EM_386:
		return "32-bit x86"
	}
	return m.String()
}
