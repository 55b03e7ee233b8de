package sinofile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// maxHeader bounds the text header of MetaImage and NRRD files.
const maxHeader = 1 << 16

// isMeta says whether a file starts like a MetaImage header (.mha, .mhd).
func isMeta(text string) bool {
	key, _, ok := strings.Cut(text, "=")
	switch strings.TrimSpace(key) {
	case "ObjectType", "NDims", "Comment":
		return ok
	}
	return false
}

var metaTypes = map[string]dtype{"MET_CHAR": {kind: 'i', size: 1}, "MET_UCHAR": {kind: 'u', size: 1}, "MET_SHORT": {kind: 'i', size: 2},
	"MET_USHORT": {kind: 'u', size: 2}, "MET_INT": {kind: 'i', size: 4}, "MET_UINT": {kind: 'u', size: 4}, "MET_LONG_LONG": {kind: 'i', size: 8},
	"MET_ULONG_LONG": {kind: 'u', size: 8}, "MET_FLOAT": {kind: 'f', size: 4}, "MET_DOUBLE": {kind: 'f', size: 8}}

// openMeta reads a MetaImage as ITK and RTK write it (ITK's MetaIO).
func openMeta(s *source, dir string) (*container, error) {
	fields, data, err := s.metaHeader()
	if err != nil {
		return nil, err
	}
	h := &header{source: s, kind: "mha", dir: dir, data: data, file: fields["ElementDataFile"]}
	if h.file == "LOCAL" {
		h.file = ""
	}
	yes := func(key string) bool { return strings.EqualFold(fields[key], "true") }
	var ok bool
	if h.dt, ok = metaTypes[fields["ElementType"]]; !ok {
		return nil, s.cannot("ElementType", "%q", clip(fields["ElementType"]))
	}
	h.dt.big = yes("BinaryDataByteOrderMSB") || yes("ElementByteOrderMSB")
	if n := fields["ElementNumberOfChannels"]; n != "" && n != "1" {
		return nil, s.cannot("ElementNumberOfChannels", "%s values a pixel", clip(n))
	}
	if err := h.sizes("DimSize", fields["DimSize"], fields["NDims"]); err != nil {
		return nil, err
	}
	h.spacing(cmpOr(fields["ElementSpacing"], fields["ElementSize"]))
	if yes("CompressedData") {
		h.encoding = "zlib"
	}
	if n := fields["HeaderSize"]; n != "" {
		skip, err := strconv.ParseInt(n, 10, 64)
		if err != nil || skip < -1 {
			return nil, s.bad("HeaderSize", "%q", clip(n))
		}
		h.skip = skip
	}
	return h.open()
}

// metaHeader reads lines of the form key = value up to ElementDataFile, the last.
func (s *source) metaHeader() (map[string]string, int64, error) {
	r := bufio.NewReader(io.LimitReader(s.section(0, s.size), maxHeader))
	fields, at := map[string]string{}, int64(0)
	for {
		line, err := r.ReadString('\n')
		at += int64(len(line))
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok && strings.TrimSpace(line) != "" {
			return nil, 0, s.bad("header", "%q is no line of a MetaImage header", clip(strings.TrimSpace(line)))
		}
		fields[key] = strings.TrimSpace(value)
		if key == "ElementDataFile" {
			return fields, at, nil
		}
		if err != nil {
			return nil, 0, s.bad("header", "ElementDataFile is missing")
		}
	}
}

var nrrdTypes = map[string]string{"signed char": "int8", "int8_t": "int8", "uchar": "uint8", "unsigned char": "uint8", "uint8_t": "uint8",
	"short": "int16", "short int": "int16", "signed short": "int16", "int16_t": "int16", "ushort": "uint16", "unsigned short": "uint16",
	"unsigned short int": "uint16", "uint16_t": "uint16", "int": "int32", "signed int": "int32", "int32_t": "int32", "uint": "uint32",
	"unsigned int": "uint32", "uint32_t": "uint32", "longlong": "int64", "long long": "int64", "int64_t": "int64", "ulonglong": "uint64",
	"unsigned long long": "uint64", "uint64_t": "uint64", "float": "float32", "double": "float64"}

// openNRRD reads a nearly raw raster data file (teem.sourceforge.net/nrrd).
func openNRRD(s *source, dir string) (*container, error) {
	fields, data, err := s.nrrdHeader()
	if err != nil {
		return nil, err
	}
	h := &header{source: s, kind: "nrrd", dir: dir, data: data, file: cmpOr(fields["data file"], fields["datafile"])}
	name := strings.ToLower(fields["type"])
	var ok bool
	if h.dt, ok = parseDType(cmpOr(nrrdTypes[name], name)); !ok {
		return nil, s.cannot("type", "%q", clip(name))
	}
	h.dt.big = fields["endian"] == "big"
	if err := h.sizes("sizes", fields["sizes"], fields["dimension"]); err != nil {
		return nil, err
	}
	h.spacing(fields["spacings"])
	switch enc := strings.ToLower(fields["encoding"]); enc {
	case "raw":
	case "gzip", "gz":
		h.encoding = "gzip"
	default:
		return nil, s.cannot("encoding", "%q (raw and gzip are read)", clip(enc))
	}
	if n := cmpOr(fields["line skip"], fields["lineskip"]); n != "" && n != "0" {
		return nil, s.cannot("line skip", "%s lines before the data", clip(n))
	}
	if n := cmpOr(fields["byte skip"], fields["byteskip"]); n != "" {
		if h.skip, err = strconv.ParseInt(n, 10, 64); err != nil || h.skip < -1 {
			return nil, s.bad("byte skip", "%q", clip(n))
		}
	}
	return h.open()
}

func (s *source) nrrdHeader() (map[string]string, int64, error) {
	b := s.head(maxHeader)
	fields, at := map[string]string{}, 0
	for n := 0; ; n++ {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			if fields["data file"] == "" && fields["datafile"] == "" {
				return nil, 0, s.bad("header", "no empty line ends it")
			}
			return fields, int64(at), nil
		}
		line := strings.TrimRight(string(b[at:at+end]), "\r")
		at += end + 1
		if line == "" {
			return fields, int64(at), nil
		}
		if n == 0 || line[0] == '#' {
			continue
		}
		if key, value, ok := strings.Cut(line, ":"); ok {
			fields[strings.ToLower(key)] = strings.TrimSpace(strings.TrimPrefix(value, "="))
		}
	}
}

// header is what MetaImage and NRRD have in common: a text that describes raw or
// compressed data behind it or in a file of their own.
type header struct {
	*source
	kind, dir string
	data      int64  // where data start in this file
	file      string // or the name of the file with the data
	skip      int64  // bytes before the data; -1: the data end the file
	encoding  string // "", "zlib", "gzip"
	shape     []int
	dt        dtype
	bin       float64 // mm
}

// sizes reads lengths, fastest axis first.
func (h *header) sizes(place, text, rank string) error {
	words := strings.Fields(text)
	if n, err := strconv.Atoi(rank); err != nil || n != len(words) || n > maxRank {
		return h.bad(place, "%q for %q axes", clip(text), clip(rank))
	}
	h.shape = make([]int, len(words))
	for i, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 {
			return h.bad(place, "%q", clip(text))
		}
		h.shape[len(words)-1-i] = n
	}
	return nil
}

// spacing keeps that of the fastest axis, the bins.
func (h *header) spacing(text string) {
	if w := strings.Fields(text); len(w) > 0 {
		if v, err := strconv.ParseFloat(w[0], 64); err == nil && v > 0 && !math.IsInf(v, 0) {
			h.bin = v
		}
	}
}

func (h *header) open() (*container, error) {
	src, start := h.source, h.data
	if h.file != "" {
		if !filepath.IsLocal(h.file) || strings.Contains(h.file, "%") || h.file == "LIST" {
			return nil, h.cannot("data file", "%q: one file beside the header is read", clip(h.file))
		}
		var err error
		if src, err = openSource(filepath.Join(h.dir, h.file), h.limit); err != nil {
			if isSystem(err) {
				return nil, h.bad("data file", "%q cannot be opened", clip(h.file))
			}
			return nil, err
		}
		start = 0
		first := h.source.close
		h.source.close = func() error { return errors.Join(src.close(), first()) }
	}
	e := &entry{shape: h.shape, dt: h.dt}
	n, ok := product(h.shape)
	if !ok {
		return nil, h.bad("", "shape %s is larger than any file", shapeText(h.shape))
	}
	if h.skip == -1 {
		start = src.size - n*int64(h.dt.size)
	} else {
		start += h.skip
	}
	if start < 0 || start > src.size {
		return nil, h.bad("", "shape %s of %s needs %d bytes and %d are there", shapeText(h.shape), h.dt, n*int64(h.dt.size), src.size)
	}
	packed := src.size - start
	e.room = packed
	if h.encoding != "" {
		e.room = deflateBound(packed)
	}
	e.open = func() (io.Reader, error) { return h.unpack(src.section(start, packed)) }
	c := &container{source: h.source, kind: h.kind, entries: []*entry{e}}
	c.told.binSize = h.bin
	if h.file != "" {
		c.note("the data lie in %q; the hash is that of the header", h.file)
	}
	if h.bin > 0 {
		c.note("bins of %g mm by the header", h.bin)
	}
	return c, nil
}

func (h *header) unpack(r io.Reader) (io.Reader, error) {
	var out io.Reader
	var err error
	switch h.encoding {
	case "zlib":
		out, err = zlib.NewReader(r)
	case "gzip":
		out, err = gzip.NewReader(r)
	default:
		return r, nil
	}
	if err != nil {
		return nil, h.bad("data", "%v", err)
	}
	return checked{out}, nil
}
