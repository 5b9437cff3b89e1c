package match

import "slices"

// contents is what a Gallery holds.
type contents struct {
	matrix                      // a unit vector for each template
	rows    []int32             // per vector, an index into people
	ids     []string            // per vector, Template.ID
	people  []string            // person ids by slot; a removed person's slot is used again
	own     [][]int32           // by slot, the person's vectors
	means   matrix              // by slot, what fuse makes of these
	slots   map[string]int      // person id -> index into people
	free    []int               // slots without a person
	foreign map[string]int      // person id -> templates of other models
	not     map[int32][][]int16 // slot -> unit vectors of faces that are not the person's
}

func newContents(size int) contents {
	return contents{
		matrix: newMatrix(size), means: newMatrix(size),
		slots: make(map[string]int), foreign: make(map[string]int), not: make(map[int32][][]int16),
	}
}

// matrix is rows of quantised numbers in blocks: it grows without being copied,
// which would take as much memory again.
type matrix struct {
	size   int // of a row
	padded int // likewise, with zeros up to the stride
	blocks [][]int16
}

func newMatrix(size int) matrix {
	return matrix{size: size, padded: padded(size)}
}

// blockRows is how many rows a block has: 192 KiB of 192 elements each.
const blockRows = 512

func (m *matrix) row(i int) []int16 {
	at := i % blockRows * m.padded
	return m.blocks[i/blockRows][at : at+m.size]
}

// extend makes room for n rows. New ones are zero.
func (m *matrix) extend(n int) {
	for n > len(m.blocks)*blockRows {
		m.blocks = append(m.blocks, make([]int16, blockRows*m.padded))
	}
}

// shrink lets the blocks go that n rows do not need, but for one: with that,
// whoever comes and goes costs nothing.
func (m *matrix) shrink(n int) {
	if used := (n+blockRows-1)/blockRows + 1; used < len(m.blocks) {
		clear(m.blocks[used:])
		m.blocks = m.blocks[:used]
	}
}

// erase overwrites the rows in memory.
func (m *matrix) erase() {
	for _, block := range m.blocks {
		clear(block)
	}
}

// slot finds or makes the person's place in people.
func (c *contents) slot(id string) int {
	if s, ok := c.slots[id]; ok {
		return s
	}
	s := len(c.people)
	if n := len(c.free); n > 0 {
		s, c.free = c.free[n-1], c.free[:n-1]
		c.people[s] = id
	} else {
		c.people, c.own = append(c.people, id), append(c.own, nil)
		c.means.extend(len(c.people))
	}
	c.slots[id] = s
	return s
}

// add is a new template of a slot's person.
func (c *contents) add(slot int, id string, vector []int16) {
	n := len(c.rows)
	c.rows, c.ids = append(c.rows, int32(slot)), append(c.ids, id)
	c.extend(n + 1)
	copy(c.row(n), vector)
	c.own[slot] = append(c.own[slot], int32(n))
}

// fuse makes the mean of a slot's person anew.
func (c *contents) fuse(slot int) {
	vectors := make([][]int16, len(c.own[slot]))
	for i, r := range c.own[slot] {
		vectors[i] = c.row(int(r))
	}
	clear(c.means.row(slot))
	copy(c.means.row(slot), fuse(vectors))
}

// remove overwrites a vector; the last one takes its place.
func (c *contents) remove(row int) {
	last := len(c.rows) - 1
	of := c.own[c.rows[row]]
	c.own[c.rows[row]] = slices.DeleteFunc(of, func(r int32) bool { return r == int32(row) })
	if row != last {
		moved := c.own[c.rows[last]]
		moved[slices.Index(moved, int32(last))] = int32(row)
	}
	copy(c.row(row), c.row(last))
	clear(c.row(last))
	c.rows[row], c.ids[row] = c.rows[last], c.ids[last]
	c.ids[last] = ""
	c.rows, c.ids = c.rows[:last], c.ids[:last]
}

// drop forgets the person in a slot, and says how many vectors there were.
func (c *contents) drop(slot int) (removed int) {
	for ; len(c.own[slot]) > 0; removed++ {
		c.remove(int(c.own[slot][0]))
	}
	c.shrink(len(c.rows))
	clear(c.means.row(slot))
	for _, v := range c.not[int32(slot)] {
		clear(v)
	}
	delete(c.not, int32(slot))
	delete(c.slots, c.people[slot])
	c.people[slot], c.own[slot] = "", nil
	c.free = append(c.free, slot)
	return removed
}

// wipe overwrites all vectors in memory.
func (c *contents) wipe() {
	c.erase()
	c.means.erase()
	for _, rejected := range c.not {
		for _, v := range rejected {
			clear(v)
		}
	}
}
