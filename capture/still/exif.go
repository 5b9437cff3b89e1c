package still

import (
	"bytes"
	"encoding/binary"

	"facerecd/capture/jpeg"
)

// EXIF 2.32: the tag Orientation, of type SHORT, in the first directory (IFD)
// of the TIFF structure in an APP1 segment.
const (
	markerAPP1     = 0xE1
	tagOrientation = 0x0112
	typeShort      = 3
)

// orientation is the EXIF orientation of a JPEG picture, 1 to 8; 1, upright,
// when it states none or its EXIF data is broken.
func orientation(data []byte) int {
	for marker, p := range jpeg.Segments(data) {
		if tiff, ok := bytes.CutPrefix(p, []byte("Exif\x00\x00")); ok && marker == markerAPP1 {
			return tiffOrientation(tiff)
		}
	}
	return 1
}

// tiffOrientation looks for the tag in the first directory alone, so there is
// no chain of directories to be led around in.
func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		const entry = 12 // tag, type: 2 each; count, value: 4 each
		if len(entries) < entry {
			return 1
		}
		e := entries[:entry]
		entries = entries[entry:]
		if order.Uint16(e) != tagOrientation {
			continue
		}
		if v := order.Uint16(e[8:]); order.Uint16(e[2:]) == typeShort && order.Uint32(e[4:]) == 1 && v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}
