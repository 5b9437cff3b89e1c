package jpeg

import (
	"errors"
	"fmt"
	"image"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// turboLibrary is the name that Debian's libturbojpeg0 gives the library; the
// tj functions bound here are there from libjpeg-turbo 2.0 on.
const turboLibrary = "libturbojpeg.so.0"

// Values of turbojpeg.h.
const (
	tjColorYCbCr = 1 // TJCS_YCbCr
	tjColorGray  = 2 // TJCS_GRAY

	tjFatal = 1 // TJERR_FATAL

	// TJFLAG_LIMITSCANS: refuse a progressive picture made of very many
	// scans, each of which costs a pass over all pixels.
	tjLimitScans = 1 << 15
	// TJFLAG_FASTDCT: a tenth of the time less, for a level of error here and
	// there.
	tjFastDCT = 1 << 11
)

// tjSampling is the layout of the planes for each TJSAMP, by its value: the
// width and height in pixels that one chroma sample stands for.
func tjSampling(samp int32) (ratio image.YCbCrSubsampleRatio, w, h int, ok bool) {
	switch samp {
	case 0:
		return image.YCbCrSubsampleRatio444, 1, 1, true
	case 1:
		return image.YCbCrSubsampleRatio422, 2, 1, true
	case 2, 3: // 3 is TJSAMP_GRAY, which is given 4:2:0 chroma
		return image.YCbCrSubsampleRatio420, 2, 2, true
	case 4:
		return image.YCbCrSubsampleRatio440, 1, 2, true
	case 5:
		return image.YCbCrSubsampleRatio411, 4, 1, true
	}
	return 0, 0, 0, false
}

// Turbo decodes with libjpeg-turbo, called without cgo.
type Turbo struct {
	lib    *turbo
	handle uintptr
	img    image.YCbCr
	odd    Std // for pictures that libjpeg-turbo cannot give as planes: RGB, CMYK, unusual sampling

	// Passed to the library by address; fields, so that they are on the heap
	// and cost nothing per picture.
	dst                           [3]*byte
	strides                       [3]int32
	width, height, samp, colorspc int32
	data                          []byte
	args                          []uintptr // a slice that the compiler made would be new each time
}

var _ Decoder = (*Turbo)(nil)

// turbo is the library's functions. Those for each picture are addresses, as a
// function that purego registers allocates memory in each call.
type turbo struct {
	// tjhandle tjInitDecompress(void);
	init func() uintptr
	// int tjDecompressHeader3(tjhandle handle, const unsigned char *jpegBuf, unsigned long jpegSize,
	//                         int *width, int *height, int *jpegSubsamp, int *jpegColorspace);
	header uintptr
	// int tjDecompressToYUVPlanes(tjhandle handle, const unsigned char *jpegBuf, unsigned long jpegSize,
	//                             unsigned char **dstPlanes, int width, int *strides, int height, int flags);
	decode uintptr
	// char *tjGetErrorStr2(tjhandle handle);
	errorString func(handle uintptr) string
	// int tjGetErrorCode(tjhandle handle);
	errorCode func(handle uintptr) int32
	// int tjDestroy(tjhandle handle);
	destroy func(handle uintptr) int32
}

// NewTurbo makes a Decoder that uses libjpeg-turbo. The error says what is
// missing when the library is not installed, or not the right one.
func NewTurbo() (*Turbo, error) {
	lib, err := loadTurbo(turboLibrary)
	if err != nil {
		return nil, err
	}
	handle := lib.init()
	if handle == 0 {
		return nil, fmt.Errorf("start libjpeg-turbo: %s", lib.errorString(0))
	}
	return &Turbo{lib: lib, handle: handle}, nil
}

func loadTurbo(file string) (*turbo, error) {
	handle, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load libjpeg-turbo: %w", err)
	}
	var lib turbo
	var missing []string
	for name, fn := range map[string]any{
		"tjInitDecompress":        &lib.init,
		"tjDecompressHeader3":     &lib.header,
		"tjDecompressToYUVPlanes": &lib.decode,
		"tjGetErrorStr2":          &lib.errorString,
		"tjGetErrorCode":          &lib.errorCode,
		"tjDestroy":               &lib.destroy,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		if address, ok := fn.(*uintptr); ok {
			*address = symbol
			continue
		}
		purego.RegisterFunc(fn, symbol)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("load libjpeg-turbo: %s lacks %s", file, strings.Join(missing, ", "))
	}
	return &lib, nil
}

// Close frees the library's state. The library itself stays loaded.
func (d *Turbo) Close() error {
	if d.handle == 0 {
		return nil
	}
	d.lib.destroy(d.handle)
	d.handle = 0
	return nil
}

// Decode implements Decoder.
func (d *Turbo) Decode(data []byte) (*image.YCbCr, error) {
	if d.handle == 0 {
		return nil, errors.New("decode JPEG: the decoder is closed")
	}
	width, height, err := checkSize(data)
	if err != nil {
		return nil, err
	}
	if d.readHeader(data) != 0 {
		return d.odd.Decode(data) // mostly a sampling that the library has no name for
	}
	ratio, cw, ch, ok := tjSampling(d.samp)
	if !ok || d.colorspc != tjColorYCbCr && d.colorspc != tjColorGray {
		return d.odd.Decode(data)
	}
	if int(d.width) != width || int(d.height) != height {
		return nil, fmt.Errorf("decode JPEG: %w: two headers, of %dx%d and %dx%d", ErrMalformed, width, height, d.width, d.height)
	}

	// The library writes whole chroma samples' worth of luma, so that the
	// luma plane can be wider and higher than the picture.
	cStride, cRows := (width+cw-1)/cw, (height+ch-1)/ch
	yStride, yRows := cStride*cw, cRows*ch
	planes(&d.img, width, height, ratio, yStride, yRows, cStride, cRows)
	d.dst = [3]*byte{&d.img.Y[0], &d.img.Cb[0], &d.img.Cr[0]}
	d.strides = [3]int32{int32(yStride), int32(cStride), int32(cStride)}
	if d.decompress(data) != 0 {
		if text := d.lib.errorString(d.handle); d.lib.errorCode(d.handle) == tjFatal || !harmless(text) {
			return nil, fmt.Errorf("decode JPEG: %w: %s", ErrMalformed, text)
		}
	}
	if d.colorspc == tjColorGray {
		fill(d.img.Cb, 128)
		fill(d.img.Cr, 128)
	}
	return &d.img, nil
}

func (d *Turbo) readHeader(data []byte) int32 {
	return d.call(d.lib.header, data, pointer(&d.width), pointer(&d.height), pointer(&d.samp), pointer(&d.colorspc))
}

func (d *Turbo) decompress(data []byte) int32 {
	return d.call(d.lib.decode, data, pointer(&d.dst), uintptr(d.width), pointer(&d.strides), uintptr(d.height), tjLimitScans|tjFastDCT)
}

// call calls a function whose first arguments are the handle and the picture.
// The rest points into d. Both are on the heap, which does not move: d.data is
// there to make sure of it.
func (d *Turbo) call(function uintptr, data []byte, rest ...uintptr) int32 {
	d.data = data
	d.args = append(d.args[:0], d.handle, pointer(unsafe.SliceData(data)), uintptr(len(data)))
	d.args = append(d.args, rest...)
	r, _, _ := purego.SyscallN(function, d.args...)
	runtime.KeepAlive(d)
	d.data = nil
	return int32(r)
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// harmless tells the one warning that leaves the picture whole: stray bytes
// between segments, which some cameras write (image/jpeg skips them too).
func harmless(warning string) bool {
	return strings.Contains(warning, "extraneous bytes before marker")
}
