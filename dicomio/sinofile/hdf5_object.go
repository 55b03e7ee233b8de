package sinofile

// h5Object is what the messages of an object header say.
type h5Object struct {
	name               string
	isData             bool
	shape              []int
	scalar, null       bool
	dt                 dtype
	typeProblem        string // why the element type cannot be read
	layout             int    // 0 compact, 1 contiguous, 2 chunked
	data               []byte // compact
	addr, size         int64  // contiguous, or the tree or chunk of chunked data
	chunk              []int  // lengths of a chunk, the element size left out
	single             bool   // one chunk without a tree
	singleSize         int64
	singleMask         uint64
	filters            []h5Filter
	problem            string // why the data cannot be read
	treeAddr, heapAddr int64  // of a group
	links              []link
	denseHeap          int64 // -1 when the links are not dense
	denseTree          int64
}

type h5Filter struct {
	id   int
	name string
	cd   []uint64
}

// maxMessages bounds the messages of a header.
const maxMessages = 4096

// block is a run of messages.
type h5Block struct{ addr, size int64 }

// header reads all messages of an object.
func (h *hdf5File) header(addr int64, group, name string) (*h5Object, error) {
	c, err := h.at(addr, min(16, h.size-h.base-addr), name)
	if err != nil {
		return nil, err
	}
	o := &h5Object{name: group, treeAddr: -1, addr: -1, layout: -1, denseHeap: -1}
	if len(c.b) >= 4 && string(c.b[:4]) == "OHDR" {
		return o, h.header2(o, addr, name)
	}
	version := c.u8()
	c.take(1)
	n := c.u16()
	c.take(4)
	size := int64(c.u32())
	if version != 1 || n > maxMessages || c.over {
		return nil, h.bad(name, "no object header at address %d: the file is damaged", addr)
	}
	blocks := []h5Block{{addr + 16, size}}
	for i := 0; i < len(blocks); i++ {
		if len(blocks) > 256 {
			return nil, h.bad(name, "its header runs in a loop")
		}
		m, err := h.at(blocks[i].addr, blocks[i].size, name)
		if err != nil {
			return nil, err
		}
		for ; n > 0 && m.left() >= 8; n-- {
			kind, length, flags := m.u16(), m.u16(), m.u8()
			m.take(3)
			body := cursor{b: m.take(length)}
			if m.over {
				return nil, h.bad(name, "a message of %d bytes leaves its header", length)
			}
			if kind == 0x10 {
				blocks = append(blocks, h5Block{body.i64(h.offsize), body.i64(h.lensize)})
				continue
			}
			h.message(o, kind, flags, &body)
		}
	}
	return o, nil
}

// header2 reads the messages of a version 2 header.
func (h *hdf5File) header2(o *h5Object, addr int64, name string) error {
	c, err := h.at(addr, min(64, h.size-h.base-addr), name)
	if err != nil {
		return err
	}
	c.take(4)
	if v := c.u8(); v != 2 {
		return h.cannot(name, "object header of version %d", v)
	}
	flags := c.u8()
	if flags&0x20 != 0 {
		c.take(16)
	}
	if flags&0x10 != 0 {
		c.take(4)
	}
	size := c.i64(1 << (flags & 3))
	if c.over {
		return h.bad(name, "its header is cut")
	}
	blocks := []h5Block{{addr + int64(c.pos), size}}
	for i := 0; i < len(blocks); i++ {
		if len(blocks) > 256 {
			return h.bad(name, "its header runs in a loop")
		}
		m, err := h.at(blocks[i].addr, blocks[i].size, name)
		if err != nil {
			return err
		}
		for m.left() >= 4 {
			kind, length, mflags := m.u8(), m.u16(), m.u8()
			if flags&4 != 0 {
				m.take(2)
			}
			body := cursor{b: m.take(length)}
			if m.over {
				break // padding
			}
			if kind == 0x10 {
				blocks = append(blocks, h5Block{body.i64(h.offsize) + 4, body.i64(h.lensize) - 8}) // without OCHK and checksum
				continue
			}
			h.message(o, kind, mflags, &body)
		}
	}
	return nil
}

// message reads one message of an object header.
func (h *hdf5File) message(o *h5Object, kind, flags int, c *cursor) {
	if flags&2 != 0 {
		if kind == 3 {
			o.typeProblem = "a named type"
		}
		return // the message lies elsewhere
	}
	switch kind {
	case 0x01:
		h.dataspace(o, c)
	case 0x02:
		c.take(1)
		if f := c.u8(); f&1 != 0 {
			c.take(8)
		}
		o.denseHeap, o.denseTree = c.i64(h.offsize), c.i64(h.offsize)
	case 0x03:
		h.datatype(o, c)
	case 0x06:
		h.linkMessage(o, c)
	case 0x07:
		o.problem = "its data lie in external files"
	case 0x08:
		o.isData = true
		h.layoutMessage(o, c)
	case 0x0b:
		h.filterMessage(o, c)
	case 0x11:
		o.treeAddr, o.heapAddr = c.i64(h.offsize), c.i64(h.offsize)
	}
}

func (h *hdf5File) dataspace(o *h5Object, c *cursor) {
	version, rank := c.u8(), c.u8()
	c.take(1)
	switch version {
	case 1:
		c.take(5)
		o.scalar = rank == 0
	case 2:
		kind := c.u8()
		o.scalar, o.null = kind == 0, kind == 2
	default:
		o.problem = sprintf("dataspace of version %d", version)
		return
	}
	if rank > maxRank {
		o.problem = sprintf("%d axes", rank)
		return
	}
	for range rank {
		n := c.i64(h.lensize)
		if n < 0 || n > maxElements {
			n = -1 // found by the check of the shape
		}
		o.shape = append(o.shape, int(n))
	}
	if c.over {
		o.problem = "its dataspace is cut"
	}
}

func (h *hdf5File) datatype(o *h5Object, c *cursor) {
	class := c.u8() & 0xf
	bits := c.uint(3)
	size := c.u32()
	names := map[int]string{2: "times", 3: "text", 4: "bit fields", 5: "opaque bytes", 6: "compound elements", 7: "references", 8: "enumerations", 9: "elements of variable length", 10: "arrays as elements"}
	switch class {
	case 0, 1:
		o.dt = dtype{kind: "uf"[class], size: size, big: bits&1 != 0}
		if class == 0 && bits&8 != 0 {
			o.dt.kind = 'i'
		}
		offset, precision := c.u16(), c.u16()
		if !o.dt.valid() || offset != 0 || precision != 8*size || class == 1 && bits&0x40 != 0 || c.over {
			o.typeProblem = sprintf("numbers of %d bits in %d bytes", precision, size)
		}
	case 8:
		h.datatype(o, c) // the type of the numbers behind the names comes first
	default:
		o.typeProblem = cmpOr(names[class], sprintf("elements of class %d", class))
	}
}

// linkMessage reads a child of a group of the newer compact form.
func (h *hdf5File) linkMessage(o *h5Object, c *cursor) {
	c.take(1)
	flags := c.u8()
	kind := 0
	if flags&8 != 0 {
		kind = c.u8()
	}
	if flags&4 != 0 {
		c.take(8)
	}
	if flags&0x10 != 0 {
		c.take(1)
	}
	name := string(c.take(int(c.i64(1 << (flags & 3)))))
	switch {
	case c.over:
	case kind == 0:
		o.links = append(o.links, link{name, c.i64(h.offsize)})
	case kind == 1:
		if target := c.take(c.u16()); !c.over {
			h.soft[join(o.name, name)] = h.absolute(o.name, string(target))
		}
	case kind == 64:
		h.c.note("%s is a link to another file and was left out", clip(name))
	}
}

func (h *hdf5File) layoutMessage(o *h5Object, c *cursor) {
	switch version := c.u8(); version {
	case 3, 4, 5:
		o.layout = c.u8()
		switch {
		case o.layout == 0:
			o.data = c.take(c.u16())
		case o.layout == 1:
			o.addr, o.size = c.i64(h.offsize), c.i64(h.lensize)
		case o.layout == 2 && version == 3:
			rank := c.u8()
			o.addr = c.i64(h.offsize)
			h.chunkShape(o, c, rank, 4)
		case o.layout == 2:
			h.layout4(o, c)
		default:
			o.problem = "it is a virtual dataset"
		}
	case 1, 2:
		rank := c.u8()
		o.layout = c.u8()
		c.take(5)
		if o.layout != 0 {
			o.addr = c.i64(h.offsize)
		}
		h.chunkShape(o, c, rank, 4)
		o.size = -1 // as large as the shape says
		if o.layout == 0 {
			o.data = c.take(c.u32())
		}
	default:
		o.problem = sprintf("data layout of version %d", version)
	}
	if c.over {
		o.problem = "its layout is cut"
	}
}

// layout4 reads a chunk index of the newer forms, of which the single chunk is
// known.
func (h *hdf5File) layout4(o *h5Object, c *cursor) {
	flags, rank, size := c.u8(), c.u8(), c.u8()
	h.chunkShape(o, c, rank, size)
	kind := c.u8()
	if kind != 1 {
		name := map[int]string{2: "implicit", 3: "fixed array", 4: "extensible array", 5: "version 2 B-tree"}[kind]
		o.problem = sprintf("its chunks have an index of the newer form (%s); h5repack --low=0 --high=0 writes the older one", cmpOr(name, "unknown"))
		return
	}
	o.single = true
	if flags&2 != 0 {
		o.singleSize, o.singleMask = c.i64(h.lensize), c.uint(4)
	}
	o.addr = c.i64(h.offsize)
}

// chunkShape reads the lengths of a chunk; the last is the size of an element.
func (h *hdf5File) chunkShape(o *h5Object, c *cursor, rank, size int) {
	if rank < 1 || rank > maxRank || size < 1 || size > 8 {
		o.problem = sprintf("chunks of %d axes", rank)
		return
	}
	for range rank {
		o.chunk = append(o.chunk, int(c.i64(size)))
	}
	if o.layout == 2 {
		o.chunk = o.chunk[:rank-1]
	}
}

func (h *hdf5File) filterMessage(o *h5Object, c *cursor) {
	version, n := c.u8(), c.u8()
	if version == 1 {
		c.take(6)
	}
	for range min(n, 32) {
		f := h5Filter{id: c.u16()}
		nameLen := 0
		if version == 1 || f.id >= 256 {
			nameLen = c.u16()
		}
		c.take(2)
		values := c.u16()
		if version == 1 {
			nameLen += -nameLen & 7
		}
		f.name = string(c.take(nameLen))
		for range min(values, 1024) {
			f.cd = append(f.cd, c.uint(4))
		}
		if version == 1 && values%2 == 1 {
			c.take(4)
		}
		o.filters = append(o.filters, f)
	}
	if c.over {
		o.problem = "its filters are cut"
	}
}
