package litert

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"facerecd/cross/testkit"
)

func load(t testing.TB) *Library {
	t.Helper()
	l, err := Load(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFindReturnsTheFirstThatExists(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.so"), filepath.Join(dir, "second.so")
	for _, name := range []string{first, second} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, explicit, variable, want string
	}{
		{"explicit", first, second, first},
		{"variable", "", second, second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(PathVariable, c.variable)
			got, err := Find(c.explicit)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestExplicitLibraryIsNeverReplacedByAnother(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(PathVariable, testkit.Runtime(t))
	for _, explicit := range []string{filepath.Join(dir, "none.so"), dir} {
		if got, err := Find(explicit); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestFindSaysWhereItLooked(t *testing.T) {
	_, err := firstExisting([]string{"", "/none/a.so", "/none/b.so"})
	const want = "find libLiteRt.so: file does not exist in /none/a.so, /none/b.so; " + remedy
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestLoadSaysWhatIsWrongWithTheFile(t *testing.T) {
	runtimeLibrary, err := os.ReadFile(testkit.Runtime(t))
	if err != nil {
		t.Fatal(err)
	}
	own, other, otherName := elf.EM_X86_64, elf.EM_AARCH64, "AArch64 (arm64)"
	ownName := "x86-64 (amd64)"
	if runtime.GOARCH == "arm64" {
		own, other = other, own
		ownName, otherName = otherName, ownName
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "it is not a shared library, or it is damaged: EOF"},
		{"text", []byte("this is not a library, it is text"), "it is not a shared library, or it is damaged: bad magic number '[116 104 105 115]' in record at byte 0x0"},
		{"wrong architecture", header(other, elf.ET_DYN), "it is for " + otherName + ", but this program needs one for " + ownName},
		{"32-bit ARM", header(elf.EM_ARM, elf.ET_DYN), "it is for 32-bit ARM, but this program needs one for " + ownName},
		{"program", header(own, elf.ET_EXEC), "it is no shared library but an ELF file of type ET_EXEC"},
		{"cut short", runtimeLibrary[:len(runtimeLibrary)/2], "it is not a shared library, or it is damaged: "},
		{
			"one symbol less",
			bytes.Replace(runtimeLibrary, []byte("\x00LiteRtRunCompiledModel\x00"), []byte("\x00LiteRtRunCompiledXXXXX\x00"), 1),
			"the dynamic linker refuses it: ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), libraryFile)
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			wantLoadError(t, path, c.want)
		})
	}
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), libraryFile)
		err := wantLoadError(t, path, "no such file or directory; ")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
	})
	t.Run("folder", func(t *testing.T) {
		wantLoadError(t, t.TempDir(), "it is not a regular file; ")
	})
	t.Run("another library", func(t *testing.T) {
		err := wantLoadError(t, mathLibrary(t), "it lacks the symbols LiteRtCreateEnvironment, ")
		if got := strings.Count(err.Error(), "LiteRt"); got != 30 { // 29 symbols and the remedy's libLiteRt.so
			t.Errorf("%v does not name all 29 symbols", err)
		}
		// The C library's are there: that one depends on it.
		if strings.Contains(err.Error(), "malloc") {
			t.Errorf("%v names a symbol that is there", err)
		}
	})
}

func wantLoadError(t *testing.T, path, reason string) error {
	t.Helper()
	l, err := Load(path)
	if err == nil || l != nil {
		t.Fatalf("got %v, %v, want an error", l, err)
	}
	if !strings.HasPrefix(err.Error(), "load LiteRT library "+path+": "+reason) || !strings.HasSuffix(err.Error(), "; "+remedy) {
		t.Errorf("got  %v\nwant load LiteRT library %s: %s … ; %s", err, path, reason, remedy)
	}
	return err
}

// header is an ELF file that consists of its header.
func header(machine elf.Machine, typ elf.Type) []byte {
	var b bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	size := uint16(64)
	h := elf.Header64{Ident: ident, Type: uint16(typ), Machine: uint16(machine), Version: 1, Ehsize: size, Phentsize: 56, Shentsize: 64}
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func mathLibrary(t *testing.T) string {
	for _, pattern := range []string{"/lib/*/libm.so.6", "/usr/lib/*/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if checkELF(path) == nil {
				return path
			}
		}
	}
	t.Fatal("there is no libm.so.6 to serve as the wrong library")
	return ""
}

// The sizes and offsets that the headers assert for 64-bit machines.
func TestStructuresAreLaidOutAsInC(t *testing.T) {
	var typ rankedTensorType
	var q quantizationPerTensorParams
	var opt envOption
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"sizeof LiteRtRankedTensorType", unsafe.Sizeof(typ), 72},
		{"offsetof layout.dimensions", unsafe.Offsetof(typ.dims), 8},
		{"sizeof LiteRtQuantizationPerTensor", unsafe.Sizeof(q), 16},
		{"offsetof zero_point", unsafe.Offsetof(q.zeroPoint), 8},
		{"sizeof LiteRtEnvOption", unsafe.Sizeof(opt), 24},
		{"offsetof value", unsafe.Offsetof(opt.anyType), 8},
		{"offsetof value.int_value", unsafe.Offsetof(opt.value), 16},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
}
