package litert

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// overread is how far past the end of a buffer LiteRT may read: XNNPACK's
// kernels load whole vectors and ignore the tail (XNN_EXTRA_BYTES is 16, or
// 128 on some targets). A buffer that ended with its last page would crash.
const overread = 128

// buffers are a model's inputs or its outputs: LiteRT's handles, in one piece
// as LiteRtRunCompiledModel takes them, and the memory behind each. The memory
// is the binding's own, so that filling it costs no call into C.
type buffers struct {
	handles []tensorBuffer
	memory  [][]byte
}

// add creates a buffer of the given size for a tensor.
func (b *buffers) add(c *symbols, typ *rankedTensorType, size int) error {
	mem, err := mapMemory(size)
	if err != nil {
		return err
	}
	b.memory = append(b.memory, mem)
	var handle tensorBuffer
	s := c.createTensorBufferFromHostMemory(typ, unsafe.SliceData(mem), uintptr(len(mem)), 0, &handle)
	if s != 0 {
		return s.err("create tensor buffer")
	}
	b.handles = append(b.handles, handle)
	return nil
}

func (b *buffers) free(c *symbols) error {
	for _, h := range b.handles {
		c.destroyTensorBuffer(h)
	}
	var errs []error
	for _, mem := range b.memory {
		errs = append(errs, unmap(mem))
	}
	*b = buffers{}
	return errors.Join(errs...)
}

// mapMemory gives n zeroed bytes outside the Go heap, where C may keep their
// address: page aligned, and with room for an overread.
func mapMemory(n int) ([]byte, error) {
	mem, err := syscall.Mmap(-1, 0, n+overread, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	return mem[:n], nil
}

// mapReadOnly is mapMemory with a copy of data that nothing can write to.
func mapReadOnly(data []byte) ([]byte, error) {
	mem, err := mapMemory(len(data))
	if err != nil {
		return nil, err
	}
	copy(mem, data)
	if err := syscall.Mprotect(mem[:cap(mem)], syscall.PROT_READ); err != nil {
		return nil, errors.Join(fmt.Errorf("protect %d bytes: %w", len(data), err), unmap(mem))
	}
	return mem, nil
}

func unmap(mem []byte) error { return syscall.Munmap(mem[:cap(mem)]) }
