package sinofile

import (
	"strings"
)

const hdf5Magic = "\x89HDF\r\n\x1a\n"

// findHDF5 is where the HDF5 signature stands: at 0, or behind a user block of
// 512, 1024, ... bytes, as MATLAB 7.3 writes; -1 when there is none.
func (s *source) findHDF5() int64 {
	for off := int64(0); off+8 <= s.size && off <= 1<<20; off = max(512, 2*off) {
		if b, err := s.bytes(off, 8, ""); err == nil && string(b) == hdf5Magic {
			return off
		}
	}
	return -1
}

// hdf5File reads a subset of HDF5 (file format specification version 3.0):
// superblocks 0 to 3, groups of the older and the newer forms, object headers 1
// and 2, data that are compact, contiguous or in chunks under a version 1
// B-tree or a single chunk, deflate and shuffle filters, integers and floats.
type hdf5File struct {
	*source
	base    int64 // where address 0 is
	offsize int   // bytes of an address
	lensize int   // bytes of a length
	c       *container
	seen    map[int64]string // objects that were read, and their names
	nodes   map[int64]bool   // tree nodes that were read
	soft    map[string]string
}

// openHDF5 lists the numeric datasets of a file, and what is known about its
// layout: Data Exchange, NXtomo, or MATLAB 7.3.
func openHDF5(s *source) (*container, error) {
	h := &hdf5File{source: s, base: s.findHDF5(), c: &container{source: s, kind: "hdf5"}, seen: map[int64]string{}, nodes: map[int64]bool{}, soft: map[string]string{}}
	root, err := h.superblock()
	if err != nil {
		return nil, err
	}
	if err := h.object(root, "", 0); err != nil {
		return nil, err
	}
	h.resolveSoft()
	matlab := h.base > 0 && strings.HasPrefix(string(s.head(10)), "MATLAB 7.3")
	if matlab {
		h.asMATLAB()
	}
	if len(h.c.entries) == 0 {
		return nil, s.bad("", "holds no array of numbers%s", h.leftOut())
	}
	if !matlab && !h.c.recogniseNXtomo() {
		h.c.recogniseExchange()
	}
	return h.c, nil
}

// asMATLAB names arrays as MATLAB does and turns their axes around: MATLAB
// writes column by column, so that HDF5 sees the axes reversed.
func (h *hdf5File) asMATLAB() {
	h.c.kind = "mat7.3"
	for _, e := range h.c.entries {
		e.name, e.fortran = strings.ReplaceAll(e.name, "/", "."), true
	}
	h.c.recogniseHTC()
}

func (h *hdf5File) leftOut() string {
	if len(h.c.notes) == 0 {
		return ""
	}
	return " (" + strings.Join(h.c.notes, "; ") + ")"
}

// superblock returns the address of the root group's object header.
func (h *hdf5File) superblock() (int64, error) {
	c := cursor{b: make([]byte, 0)}
	b, err := h.bytes(h.base, min(128, h.size-h.base), "superblock")
	if err != nil {
		return 0, err
	}
	c.b, c.pos = b, 8
	version := c.u8()
	root := int64(-1)
	switch version {
	case 0, 1:
		c.take(4)
		h.offsize, h.lensize = c.u8(), c.u8()
		c.take(9)
		if version == 1 {
			c.take(4)
		}
		if !h.sizesKnown() {
			break
		}
		c.take(4 * h.offsize) // base, free space, end of file, driver
		c.take(h.offsize)     // name of the root
		root = c.i64(h.offsize)
	case 2, 3:
		h.offsize, h.lensize = c.u8(), c.u8()
		c.take(1)
		if !h.sizesKnown() {
			break
		}
		c.take(3 * h.offsize)
		root = c.i64(h.offsize)
	default:
		return 0, h.cannot("superblock", "version %d (0 to 3 are read)", version)
	}
	if !h.sizesKnown() || c.over || root < 0 {
		return 0, h.bad("superblock", "it is cut or damaged")
	}
	return root, nil
}

func (h *hdf5File) sizesKnown() bool {
	known := func(n int) bool { return n == 2 || n == 4 || n == 8 }
	return known(h.offsize) && known(h.lensize)
}

// at reads n bytes at an address.
func (h *hdf5File) at(addr, n int64, place string) (cursor, error) {
	if addr < 0 || addr > h.size {
		return cursor{}, h.bad(place, "address %d lies outside the file of %d bytes", addr, h.size)
	}
	b, err := h.bytes(h.base+addr, n, place)
	return cursor{b: b}, err
}

// node reads the head of a structure once, and checks its four-letter signature.
func (h *hdf5File) node(addr int64, signature string, n int64, place string) (cursor, error) {
	if h.nodes[addr] {
		return cursor{}, h.bad(place, "a tree of the file runs in a loop")
	}
	h.nodes[addr] = true
	c, err := h.at(addr, n, place)
	if err == nil && string(c.take(4)) != signature {
		err = h.bad(place, "no %s at address %d: the file is damaged", signature, addr)
	}
	return c, err
}

// link is a child of a group.
type link struct {
	name string
	addr int64
}

func join(group, name string) string {
	if group == "" {
		return name
	}
	return group + "/" + name
}

// object reads a group or a dataset and everything below it.
func (h *hdf5File) object(addr int64, name string, depth int) error {
	if depth > maxDeep || len(h.seen) > maxFields {
		return h.bad(name, "groups are nested more than %d deep, or hold more than %d objects", maxDeep, maxFields)
	}
	if first, ok := h.seen[addr]; ok {
		h.soft[name] = first // a second name
		return nil
	}
	h.seen[addr] = name
	o, err := h.header(addr, name, cmpOr(name, "/"))
	if err != nil {
		return err
	}
	if o.isData {
		h.dataset(o, name)
		return nil
	}
	if o.treeAddr >= 0 {
		links, err := h.symbolTable(o, cmpOr(name, "/"))
		if err != nil {
			return err
		}
		o.links = append(o.links, links...)
	}
	if o.denseHeap >= 0 {
		if err := h.denseLinks(o, cmpOr(name, "/")); err != nil {
			return err
		}
	}
	for _, l := range o.links {
		if err := h.object(l.addr, join(name, l.name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// symbolTable lists the children of a group of the older form.
func (h *hdf5File) symbolTable(o *h5Object, name string) ([]link, error) {
	c, err := h.node(o.heapAddr, "HEAP", int64(8+2*h.lensize+h.offsize), name)
	if err != nil {
		return nil, err
	}
	c.take(4)
	size := c.i64(h.lensize)
	c.take(h.lensize)
	heap, err := h.at(c.i64(h.offsize), size, name)
	if err != nil {
		return nil, err
	}
	return h.groupTree(o.treeAddr, name, heap.b, -1)
}

// groupTree walks the B-tree of a group; level is that of the parent less one, or
// -1 for any.
func (h *hdf5File) groupTree(addr int64, name string, heap []byte, level int) ([]link, error) {
	children, own, err := h.treeNode(addr, 0, h.lensize, level, name, nil)
	if err != nil {
		return nil, err
	}
	var out []link
	for _, child := range children {
		var more []link
		if own > 0 {
			more, err = h.groupTree(child, name, heap, own-1)
		} else {
			more, err = h.symbols(child, name, heap)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// treeNode reads a node of a version 1 B-tree: its children's addresses, its
// level, and by way of key each child's key.
func (h *hdf5File) treeNode(addr int64, kind, keySize, level int, place string, key func(i int, c *cursor)) ([]int64, int, error) {
	headSize := int64(8 + 2*h.offsize)
	c, err := h.node(addr, "TREE", headSize, place)
	if err != nil {
		return nil, 0, err
	}
	gotKind, own, n := c.u8(), c.u8(), c.u16()
	if gotKind != kind || level >= 0 && own != level {
		return nil, 0, h.bad(place, "a tree node of kind %d and level %d where kind %d belongs", gotKind, own, kind)
	}
	c, err = h.at(addr+headSize, int64(n)*int64(keySize+h.offsize), place)
	if err != nil {
		return nil, 0, err
	}
	out := make([]int64, n)
	for i := range out {
		k := cursor{b: c.take(keySize)}
		if key != nil {
			key(i, &k)
		}
		out[i] = c.i64(h.offsize)
	}
	return out, own, nil
}

// symbols reads the entries of a symbol table node.
func (h *hdf5File) symbols(addr int64, name string, heap []byte) ([]link, error) {
	c, err := h.node(addr, "SNOD", 8, name)
	if err != nil {
		return nil, err
	}
	c.take(2)
	n := c.u16()
	if c, err = h.at(addr+8, int64(n)*int64(2*h.offsize+24), name); err != nil {
		return nil, err
	}
	var out []link
	for range n {
		at, object, cache := c.i64(h.offsize), c.i64(h.offsize), c.u32()
		c.take(4)
		scratch := cursor{b: c.take(16)}
		text, ok := heapText(heap, at)
		if !ok {
			return nil, h.bad(name, "a name lies outside its heap")
		}
		if cache == 2 { // a soft link
			if target, ok := heapText(heap, scratch.i64(4)); ok {
				h.soft[join(name, text)] = h.absolute(name, target)
			}
			continue
		}
		out = append(out, link{text, object})
	}
	return out, nil
}

func (h *hdf5File) absolute(group, target string) string {
	if t, ok := strings.CutPrefix(target, "/"); ok {
		return t
	}
	return join(group, target)
}

func heapText(heap []byte, at int64) (string, bool) {
	if at < 0 || at >= int64(len(heap)) {
		return "", false
	}
	text, _, ok := strings.Cut(string(heap[at:min(int64(len(heap)), at+1024)]), "\x00")
	return text, ok
}

// resolveSoft gives datasets their further names.
func (h *hdf5File) resolveSoft() {
	for name, target := range h.soft {
		if e := h.c.find(target); e != nil && h.c.find(name) == nil {
			second := *e
			second.name = name
			h.c.again = append(h.c.again, &second)
		}
	}
}
