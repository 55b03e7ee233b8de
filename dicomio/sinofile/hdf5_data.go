package sinofile

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"slices"
	"strings"
)

// h5FilterNames name filters that are refused.
var h5FilterNames = map[int]string{4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle",
	32013: "ZFP", 32015: "Zstandard", 32026: "Blosc2"}

const (
	filterDeflate   = 1
	filterShuffle   = 2
	filterFletcher  = 3
	maxFilterNumber = 32 // bits of the mask that switches filters off
)

// dataset lists a dataset. One that cannot be read is listed with the reason.
func (h *hdf5File) dataset(o *h5Object, name string) {
	if o.null || o.typeProblem != "" && o.dt.size == 0 {
		return // texts and compounds are no measurement
	}
	e := &entry{name: name, shape: o.shape, dt: o.dt, problem: nil}
	if e.dt.size == 0 {
		return
	}
	e.problem = h.dataProblem(o, name)
	if e.problem == nil {
		h.locate(o, e)
	}
	h.c.entries = append(h.c.entries, e)
}

func (h *hdf5File) dataProblem(o *h5Object, name string) error {
	if o.typeProblem != "" {
		return h.cannot(name, "holds %s", o.typeProblem)
	}
	if o.problem != "" {
		return h.cannot(name, "%s", o.problem)
	}
	for _, f := range o.filters {
		if f.id != filterDeflate && f.id != filterShuffle && f.id != filterFletcher {
			return h.cannot(name, "filter %s (deflate and shuffle are read); h5repack -f GZIP=1 changes it", h5FilterName(f))
		}
	}
	return nil
}

func h5FilterName(f h5Filter) string {
	text, _, _ := strings.Cut(f.name, "\x00")
	return cmpOr(h5FilterNames[f.id], sprintf("%d %s", f.id, clip(text)))
}

// locate finds where the bytes of a dataset are.
func (h *hdf5File) locate(o *h5Object, e *entry) {
	n, ok := product(o.shape)
	need := n * int64(o.dt.size)
	switch {
	case !ok || slices.Contains(o.shape, -1):
		e.problem = h.bad(e.name, "shape %s is impossible", shapeText(o.shape))
	case o.layout == 0:
		e.room = int64(len(o.data))
		e.open = func() (io.Reader, error) { return bytes.NewReader(o.data), nil }
	case o.layout == 1 && o.addr < 0:
		e.problem = h.bad(e.name, "its data were never written")
	case o.layout == 1:
		if o.size < 0 {
			o.size = need
		}
		start := h.base + o.addr
		if o.addr > h.size || o.size > h.size-start {
			e.problem = h.bad(e.name, "%d bytes at offset %d lie outside the file of %d bytes", o.size, start, h.size)
			return
		}
		e.room = o.size
		e.open = func() (io.Reader, error) { return h.section(start, o.size), nil }
	default:
		h.locateChunks(o, e)
	}
}

// chunk is a stored piece of a dataset.
type h5Chunk struct {
	addr, size int64
	mask       uint64 // filters that were left out
}

// locateChunks prepares a dataset whose chunks are listed when it is opened; the
// listing of data that nobody wants would cost time. room is what a whole file of
// such chunks could hold.
func (h *hdf5File) locateChunks(o *h5Object, e *entry) {
	if len(o.chunk) != len(o.shape) || len(o.shape) == 0 {
		e.problem = h.bad(e.name, "chunks of %d axes in an array of %d", len(o.chunk), len(o.shape))
		return
	}
	bytesOf := int64(o.dt.size)
	for i, n := range o.chunk {
		if n < 1 || bytesOf > h.limit/int64(n) {
			e.problem = h.bad(e.name, "chunks of shape %s", shapeText(o.chunk))
			return
		}
		bytesOf *= int64(o.chunk[i])
	}
	e.room = h.size
	for _, f := range o.filters {
		if f.id == filterDeflate {
			e.room = deflateBound(h.size)
		}
	}
	e.open = func() (io.Reader, error) {
		clear(h.nodes) // each listing starts anew
		r := &chunkReader{hdf5File: h, o: o, name: e.name, chunkBytes: int(bytesOf)}
		return r, r.list()
	}
}

// chunkReader gives the elements of a chunked dataset in order, one slab of
// chunks along the first axis at a time.
type chunkReader struct {
	*hdf5File
	o          *h5Object
	name       string
	chunkBytes int
	chunks     map[int]h5Chunk // by number, the last axis fastest
	grid       []int           // chunks along each axis
	slab       int             // next
	buf, ready []byte
	unzip      []byte
}

// list reads where the chunks are, and refuses data that are not complete.
func (r *chunkReader) list() error {
	r.chunks = map[int]h5Chunk{}
	total := int64(1)
	for i, n := range r.o.shape {
		r.grid = append(r.grid, (n+r.o.chunk[i]-1)/r.o.chunk[i])
		total *= int64(r.grid[i]) // at most the number of elements, which was checked
	}
	switch {
	case r.o.single:
		size := r.o.singleSize
		if size == 0 {
			size = int64(r.chunkBytes)
		}
		r.chunks[0] = h5Chunk{r.o.addr, size, r.o.singleMask}
	case r.o.addr >= 0:
		if err := r.tree(r.o.addr, -1); err != nil {
			return err
		}
	}
	if int64(len(r.chunks)) != total {
		return r.bad(r.name, "%d of %d chunks were written: the scan is not complete", len(r.chunks), total)
	}
	room := int64(0)
	for _, c := range r.chunks {
		room += r.bound(c)
	}
	if n, _ := product(r.o.shape); n*int64(r.o.dt.size) > room {
		return r.bad(r.name, "shape %s of %s needs more than the %d bytes that its chunks can hold", shapeText(r.o.shape), r.o.dt, room)
	}
	return nil
}

func (r *chunkReader) bound(c h5Chunk) int64 {
	for _, f := range r.o.filters {
		if f.id == filterDeflate {
			return deflateBound(c.size)
		}
	}
	return c.size
}

func (r *chunkReader) tree(addr int64, level int) error {
	var keys []h5Chunk
	var numbers []int
	keySize := 8 + 8*(len(r.o.chunk)+1)
	children, own, err := r.treeNode(addr, 1, keySize, level, r.name, func(_ int, c *cursor) {
		k := h5Chunk{size: int64(c.u32()), mask: c.uint(4)}
		number := 0
		for i, n := range r.o.chunk {
			at := c.i64(8)
			if at < 0 || at%int64(n) != 0 || at >= int64(r.o.shape[i]) {
				number = -1
				break
			}
			number = number*r.grid[i] + int(at)/n
		}
		keys, numbers = append(keys, k), append(numbers, number)
	})
	if err != nil {
		return err
	}
	for i, child := range children {
		switch {
		case own > 0:
			if err := r.tree(child, own-1); err != nil {
				return err
			}
		case numbers[i] < 0:
			return r.bad(r.name, "a chunk lies outside the array")
		default:
			keys[i].addr = child
			r.chunks[numbers[i]] = keys[i]
		}
	}
	return nil
}

func (r *chunkReader) Read(b []byte) (int, error) {
	if len(r.ready) == 0 {
		if r.slab == r.grid[0] {
			return 0, io.EOF
		}
		if err := r.fillSlab(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fillSlab decodes the chunks that share the next place on the first axis.
func (r *chunkReader) fillSlab() error {
	shape := slices.Clone(r.o.shape)
	first := r.slab * r.o.chunk[0]
	shape[0] = min(r.o.chunk[0], shape[0]-first)
	n, _ := product(shape)
	size := int(n) * r.o.dt.size
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.ready = r.buf[:size]
	per := 1
	for _, g := range r.grid[1:] {
		per *= g
	}
	for j := range per {
		data, err := r.decode(r.chunks[r.slab*per+j])
		if err != nil {
			return err
		}
		r.place(shape, j, data)
	}
	r.slab++
	return nil
}

// place copies chunk j of a slab to its rows.
func (r *chunkReader) place(shape []int, j int, data []byte) {
	rank, size := len(shape), r.o.dt.size
	at := make([]int, rank) // first element of the chunk in the slab
	for i := rank - 1; i > 0; i-- {
		at[i] = j % r.grid[i] * r.o.chunk[i]
		j /= r.grid[i]
	}
	count := make([]int, rank) // elements of the chunk that lie in the array
	for i := range count {
		count[i] = min(r.o.chunk[i], shape[i]-at[i])
	}
	idx := make([]int, rank)
	run := count[rank-1] * size
	for {
		src, dst := 0, 0
		for i := range rank {
			src, dst = src*r.o.chunk[i]+idx[i], dst*shape[i]+at[i]+idx[i]
		}
		copy(r.ready[dst*size:dst*size+run], data[src*size:])
		i := rank - 2
		for ; i >= 0; i-- {
			if idx[i]++; idx[i] < count[i] {
				break
			}
			idx[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// decode reads a chunk and undoes its filters, the last first.
func (r *chunkReader) decode(c h5Chunk) ([]byte, error) {
	if int64(r.chunkBytes) > r.bound(c) {
		return nil, r.bad(r.name, "a chunk of %d bytes where %d belong", c.size, r.chunkBytes)
	}
	raw, err := r.at(c.addr, c.size, r.name)
	if err != nil {
		return nil, err
	}
	b := raw.b
	for i := len(r.o.filters) - 1; i >= 0; i-- {
		if i < maxFilterNumber && c.mask>>i&1 != 0 {
			continue
		}
		switch r.o.filters[i].id {
		case filterFletcher:
			b = b[:max(0, len(b)-4)]
		case filterDeflate:
			if b, err = r.inflate(b); err != nil {
				return nil, err
			}
		case filterShuffle:
			b = unshuffle(b, r.o.dt.size)
		}
	}
	if len(b) != r.chunkBytes {
		return nil, r.bad(r.name, "a chunk holds %d bytes where %d belong", len(b), r.chunkBytes)
	}
	return b, nil
}

// inflate expands to a chunk and the four bytes of a checksum, no further.
func (r *chunkReader) inflate(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, r.bad(r.name, "a compressed chunk is damaged: %v", err)
	}
	if cap(r.unzip) < r.chunkBytes+8 {
		r.unzip = make([]byte, r.chunkBytes+8)
	}
	n, err := io.ReadFull(z, r.unzip[:r.chunkBytes+8])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, r.bad(r.name, "a compressed chunk is damaged: %v", err)
	}
	return r.unzip[:n], nil
}

// unshuffle puts the bytes of each element together again.
func unshuffle(b []byte, size int) []byte {
	n := len(b) / size
	out := make([]byte, len(b))
	for i := range n {
		for j := range size {
			out[i*size+j] = b[j*n+i]
		}
	}
	copy(out[n*size:], b[n*size:])
	return out
}
