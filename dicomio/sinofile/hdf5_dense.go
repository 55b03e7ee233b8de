package sinofile

import "math/bits"

// A group of the newer dense form keeps its links in a fractal heap, found
// through a version 2 B-tree of the hashes of their names. Files get it for more
// than eight links, and old ones for a link to another file.

// heapID is the place of an object in a fractal heap: where its managed space is.
type heapID struct{ off, size int64 }

// denseLinks lists the links of a dense group.
func (h *hdf5File) denseLinks(o *h5Object, name string) error {
	heap, err := h.fractalHeap(o.denseHeap, name)
	if err != nil {
		return err
	}
	records, err := h.tree2(o.denseTree, 5, name)
	if err != nil {
		return err
	}
	for _, r := range records {
		r.take(4) // hash of the name
		id, ok := heap.id(&r)
		if !ok {
			return h.bad(name, "a link lies in no managed part of its heap")
		}
		b, err := heap.object(id)
		if err != nil {
			return err
		}
		h.linkMessage(o, &cursor{b: b})
	}
	return nil
}

// tree2 lists the records of a version 2 B-tree of the given type.
func (h *hdf5File) tree2(addr int64, kind int, place string) ([]cursor, error) {
	c, err := h.node(addr, "BTHD", int64(4+18+h.offsize+h.lensize), place)
	if err != nil {
		return nil, err
	}
	c.take(1)
	got := c.u8()
	t := &tree2{hdf5File: h, place: place, kind: kind, node: int64(c.u32()), record: c.u16()}
	depth := c.u16()
	c.take(2)
	root, n := c.i64(h.offsize), c.u16()
	if got != kind || t.record < 5 || t.node < 16 || t.node > 1<<20 || depth > 16 {
		return nil, h.bad(place, "a tree of type %d, nodes of %d bytes", got, t.node)
	}
	t.sizes(depth)
	if n > 0 {
		err = t.walk(root, n, depth)
	}
	return t.records, err
}

// tree2 walks a version 2 B-tree.
type tree2 struct {
	*hdf5File
	place   string
	kind    int
	node    int64 // bytes of a node
	record  int   // bytes of a record
	records []cursor
	// By level: bytes that count the records of a child, and of all below it.
	count, total []int
}

// encSize is the bytes that hold numbers up to n.
func encSize(n int64) int { return (bits.Len64(uint64(n))-1)/8 + 1 }

// sizes works out how wide the counts in inner nodes are.
func (t *tree2) sizes(depth int) {
	most := (t.node - 10) / int64(t.record)
	all := most
	t.count, t.total = []int{encSize(max(1, most))}, []int{0}
	for range depth {
		level := len(t.count)
		pointer := int64(t.offsize + t.count[0] + t.total[level-1])
		most = max(1, (t.node-10-pointer)/(int64(t.record)+pointer))
		all = min((most+1)*all+most, 1<<60)
		t.count, t.total = append(t.count, t.count[0]), append(t.total, encSize(all))
	}
}

func (t *tree2) walk(addr int64, n, level int) error {
	signature := "BTLF"
	if level > 0 {
		signature = "BTIN"
	}
	c, err := t.hdf5File.node(addr, signature, t.node, t.place)
	if err != nil {
		return err
	}
	c.take(2)
	if n*t.record > c.left() || len(t.records)+n > maxFields {
		return t.bad(t.place, "%d records in a tree node of %d bytes", n, t.node)
	}
	for range n {
		t.records = append(t.records, cursor{b: c.take(t.record)})
	}
	if level == 0 {
		return nil
	}
	for range n + 1 {
		child, count := c.i64(t.offsize), int(c.uint(t.count[level-1]))
		if level > 1 {
			c.take(t.total[level-1])
		}
		if c.over {
			return t.bad(t.place, "a tree node is cut")
		}
		if err := t.walk(child, count, level-1); err != nil {
			return err
		}
	}
	return nil
}

// fractalHeap finds managed objects: blocks of doubling size in rows of equal
// width, whose addresses stand in indirect blocks.
type fractalHeap struct {
	*hdf5File
	place            string
	offBytes         int // of an offset in an ID and in a block
	lenBytes         int
	width            int64
	start, maxDirect int64 // bytes of the first and of the largest direct blocks
	root             int64
	rows             int // of the root; 0: the root is a direct block
}

func (h *hdf5File) fractalHeap(addr int64, place string) (*fractalHeap, error) {
	size := 4 + 1 + 2 + 2 + 1 + 4 + 3*h.offsize + 12*h.lensize + 8
	c, err := h.node(addr, "FRHP", int64(size), place)
	if err != nil {
		return nil, err
	}
	c.take(3)
	filters := c.u16()
	c.take(1)
	largest := int64(c.u32())
	c.take(h.lensize + h.offsize + h.lensize + h.offsize + 8*h.lensize)
	f := &fractalHeap{hdf5File: h, place: place, width: int64(c.u16()), start: c.i64(h.lensize), maxDirect: c.i64(h.lensize)}
	f.offBytes = (c.u16() + 7) / 8
	c.take(2)
	f.root, f.rows = c.i64(h.offsize), c.u16()
	switch {
	case filters != 0:
		return nil, h.cannot(place, "its links are compressed")
	case c.over, f.width < 1, f.start < 1, f.maxDirect < f.start, f.maxDirect > 1<<32, f.offBytes < 1, f.offBytes > 8, f.rows > 64, largest < 1:
		return nil, h.bad(place, "its heap of links is damaged")
	}
	f.lenBytes = min(encSize(f.maxDirect), encSize(largest))
	return f, nil
}

// id reads the heap ID of a managed object.
func (f *fractalHeap) id(c *cursor) (heapID, bool) {
	if c.u8()>>4 != 0 {
		return heapID{}, false
	}
	id := heapID{c.i64(f.offBytes), c.i64(f.lenBytes)}
	return id, !c.over && id.off >= 0 && id.size > 0
}

func (f *fractalHeap) object(id heapID) ([]byte, error) {
	at := f.root + id.off
	if f.rows > 0 {
		var err error
		if at, err = f.find(f.root, f.rows, id.off, 0); err != nil {
			return nil, err
		}
	}
	c, err := f.at(at, id.size, f.place)
	return c.b, err
}

// rowSize is the bytes of each block of a row.
func (f *fractalHeap) rowSize(row int) int64 { return f.start << max(0, row-1) }

// find follows an indirect block to the address of the byte at off of the space
// that the block covers.
func (f *fractalHeap) find(addr int64, rows int, off int64, depth int) (int64, error) {
	if depth > 8 {
		return 0, f.bad(f.place, "its heap of links is too deep")
	}
	entry := int64(0)
	for row := range rows {
		size := f.rowSize(row)
		if size <= 0 || off >= size*f.width {
			off -= size * f.width
			entry += f.width
			continue
		}
		entry += off / size
		off %= size
		head := int64(5 + f.offsize + f.offBytes)
		c, err := f.at(addr+head+entry*int64(f.offsize), int64(f.offsize), f.place)
		if err != nil {
			return 0, err
		}
		child := c.i64(f.offsize)
		if size <= f.maxDirect {
			return child + off, nil
		}
		inner := bits.Len64(uint64(size)) - bits.Len64(uint64(f.start*f.width)) + 1
		return f.find(child, inner, off, depth+1)
	}
	return 0, f.bad(f.place, "a link lies beyond its heap")
}
