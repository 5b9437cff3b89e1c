package child

// levels brings full-range Y, Cb and Cr to limited range.
type levels struct{ luma, chroma [256]byte }

func newLevels() *levels {
	l := new(levels)
	for v := range 256 {
		l.luma[v] = byte(16 + (v*219+127)/255)
		l.chroma[v] = byte((v*224 + 16*255 + 127) / 255) // 128 stays 128
	}
	return l
}

// limit converts planes in place; the first luma bytes are Y.
func (l *levels) limit(planes []byte, luma int) {
	for i, v := range planes[:luma] {
		planes[i] = l.luma[v]
	}
	chroma := planes[luma:]
	for i, v := range chroma {
		chroma[i] = l.chroma[v]
	}
}
