package match

// contents is what a Gallery holds.
type contents struct {
	blocks  [][]int16             // of blockRows unit vectors, one after the other; see quantize
	rows    []int32               // per vector, an index into people
	ids     []string              // per vector, Template.ID
	people  []string              // person ids by slot; a removed person's slot is used again
	counts  []int                 // vectors by slot
	slots   map[string]int        // person id -> index into people
	free    []int                 // slots without a person
	foreign map[string]int        // person id -> templates of other models
	not     map[int32][][]int16   // slot -> unit vectors of faces that are not the person's
}

func newContents() contents {
	return contents{slots: make(map[string]int), foreign: make(map[string]int), not: make(map[int32][][]int16)}
}

// blockRows is how many vectors a block has: 192 KiB of 192 elements each.
const blockRows = 512

func (g *Gallery) row(i int) []int16 {
	at := i % blockRows * g.size
	return g.blocks[i/blockRows][at : at+g.size]
}

// newRow is the vector of the last of rows, which has none yet.
func (g *Gallery) newRow() []int16 {
	last := len(g.rows) - 1
	if last == len(g.blocks)*blockRows {
		g.blocks = append(g.blocks, make([]int16, blockRows*g.size))
	}
	return g.row(last)
}

// shrink lets the blocks go that are free, but for one: with that, whoever comes
// and goes costs nothing.
func (c *contents) shrink() {
	if used := (len(c.rows)+blockRows-1)/blockRows + 1; used < len(c.blocks) {
		clear(c.blocks[used:])
		c.blocks = c.blocks[:used]
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
		c.people, c.counts = append(c.people, id), append(c.counts, 0)
	}
	c.slots[id] = s
	return s
}

// erase overwrites all vectors in memory.
func (c *contents) erase() {
	for _, block := range c.blocks {
		clear(block)
	}
	for _, rejected := range c.not {
		for _, v := range rejected {
			clear(v)
		}
	}
}
