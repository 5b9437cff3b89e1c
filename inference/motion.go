package inference

// Motion tells what has changed in the pictures of a camera that stands still. It
// sees about 40 squares across the picture, each by the mean of 16 samples of its
// luma, and compares each with what it mostly was, a running mean with the noise
// around it (as in Wren et al., "Pfinder", PAMI 1997, without the colours). What
// has changed and stays is the new usual after a second or so of frames.
//
// The zero value is ready to use, by one goroutine at a time. A picture of another
// size begins anew. It needs no new memory for a picture.
type Motion struct {
	width, height int
	side          int // of a square, pixels
	columns, rows int
	spots         []spot
	changed       int // of the spots
}

// spot is a square, in 256ths of a level.
type spot struct {
	usual, noise int32
	changed      bool
}

const (
	spotsAcross = 40 // at least, along the longer side
	samplesSide = 4  // of a spot's 16

	oneStep     = 256         // a level
	leastStep   = 3 * oneStep // below, a change is taken for noise in any case
	beyondNoise = 6           // a change is so many times the usual deviation
	certain     = 3           // one spot that changes by so many times that is enough; else it takes two
)

// Look takes the next picture, and tells whether it differs from what is usual.
// The first one does.
func (m *Motion) Look(v View) bool {
	first := v.Width != m.width || v.Height != m.height
	if first {
		m.begin(v.Width, v.Height)
	}
	luma := &v.Planes[0]
	if v.Levels == LevelsRGB {
		luma = &v.Planes[1] // green is most of it
	}
	m.changed = 0
	sure := false
	for row := range m.rows {
		for column := range m.columns {
			s := &m.spots[row*m.columns+column]
			mean := m.mean(luma, column, row)
			if first {
				*s = spot{usual: mean, noise: 2 * oneStep}
				continue
			}
			step := mean - s.usual
			size := max(step, -step)
			limit := max(leastStep, beyondNoise*s.noise)
			if s.changed = size > limit; s.changed {
				m.changed++
				sure = sure || size > certain*limit
				s.usual += step / 4
			} else {
				s.usual += step / 8
			}
			s.noise += (min(size, 2*limit) - s.noise) / 16
		}
	}
	return first || sure || m.changed > 1 || len(m.spots) == 0 // too small a picture to tell
}

// Beyond tells whether the last picture has changed outside of all the boxes.
func (m *Motion) Beyond(boxes []Box) bool {
	if m.changed == 0 {
		return false
	}
	for row := range m.rows {
		for column := range m.columns {
			if m.spots[row*m.columns+column].changed && !m.within(column, row, boxes) {
				return true
			}
		}
	}
	return false
}

// within tells whether the middle of a square is in one of the boxes.
func (m *Motion) within(column, row int, boxes []Box) bool {
	x, y := (float32(column)+0.5)*float32(m.side), (float32(row)+0.5)*float32(m.side)
	for _, b := range boxes {
		if x >= b.X && x < b.X+b.Width && y >= b.Y && y < b.Y+b.Height {
			return true
		}
	}
	return false
}

func (m *Motion) begin(width, height int) {
	m.width, m.height = width, height
	m.side = max(samplesSide, width/spotsAcross, height/spotsAcross)
	m.columns, m.rows = width/m.side, height/m.side
	m.spots = make([]spot, m.columns*m.rows)
}

// mean is that of the samples of a square.
func (m *Motion) mean(p *Plane, column, row int) int32 {
	step := m.side / samplesSide
	sum := int32(0)
	for j := range samplesSide {
		at := p.Offset + (row*m.side+j*step)*p.Stride + column*m.side*p.Step
		for range samplesSide {
			sum += int32(p.Pix[at])
			at += step * p.Step
		}
	}
	return sum * (oneStep / (samplesSide * samplesSide))
}
