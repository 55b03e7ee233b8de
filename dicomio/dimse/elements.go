package dimse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// tags that the services read or write.
const (
	tagSOPClass     uint32 = 0x0008_0016
	tagSOPInstance  uint32 = 0x0008_0018
	tagRefClass     uint32 = 0x0008_1150
	tagRefInstance  uint32 = 0x0008_1155
	tagTransaction  uint32 = 0x0008_1195
	tagReason       uint32 = 0x0008_1197
	tagFailedSeq    uint32 = 0x0008_1198
	tagReferenceSeq uint32 = 0x0008_1199
	tagItem         uint32 = 0xFFFE_E000
	tagItemEnd      uint32 = 0xFFFE_E00D
	tagSequenceEnd  uint32 = 0xFFFE_E0DD
)

const (
	undefined = 0xFFFF_FFFF
	maxDepth  = 16 // of sequences inside sequences that are skipped
)

// errElements is a data set that cannot be read as one.
var errElements = errors.New("data set cannot be read")

// longForms are the VRs whose length has 32 bits in explicit VR.
var longForms = []string{"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

// elements reads a data set element by element, holding nothing but short values.
type elements struct {
	r        io.Reader
	order    binary.ByteOrder
	explicit bool
}

// element is the head of a data element.
type element struct {
	tag    uint32
	vr     string // "" in implicit VR
	length uint32
}

func elementsOf(r io.Reader, syntax string) *elements {
	e := &elements{r: r, order: binary.LittleEndian, explicit: syntax != ImplicitLittle}
	if syntax == ExplicitBig {
		e.order = binary.BigEndian
	}
	return e
}

// next reads the head of the next element; io.EOF where the data set ends.
func (e *elements) next() (element, error) {
	var h [8]byte
	if _, err := io.ReadFull(e.r, h[:]); err != nil {
		return element{}, err
	}
	el := element{tag: uint32(e.order.Uint16(h[:]))<<16 | uint32(e.order.Uint16(h[2:]))}
	if !e.explicit || el.tag>>16 == 0xFFFE {
		el.length = e.order.Uint32(h[4:])
		return el, nil
	}
	el.vr = string(h[4:6])
	if !slices.Contains(longForms, el.vr) {
		el.length = uint32(e.order.Uint16(h[6:]))
		return el, nil
	}
	if _, err := io.ReadFull(e.r, h[:4]); err != nil {
		return element{}, unexpected(err)
	}
	el.length = e.order.Uint32(h[:])
	return el, nil
}

// uid reads the value of an element with a UID.
func (e *elements) uid(el element) (string, error) {
	if el.length > 66 {
		return "", fmt.Errorf("%w: UID (%08X) of %d bytes", errElements, el.tag, el.length)
	}
	b := make([]byte, el.length)
	_, err := io.ReadFull(e.r, b)
	return text(b), unexpected(err)
}

func (e *elements) number(el element) (uint16, error) {
	if el.length != 2 {
		return 0, fmt.Errorf("%w: number (%08X) of %d bytes", errElements, el.tag, el.length)
	}
	var b [2]byte
	_, err := io.ReadFull(e.r, b[:])
	return e.order.Uint16(b[:]), unexpected(err)
}

// skip passes over the value of an element, sequences of undefined length included.
func (e *elements) skip(el element) error { return e.skipTo(el, 0) }

func (e *elements) skipTo(el element, depth int) error {
	if el.length != undefined {
		_, err := io.CopyN(io.Discard, e.r, int64(el.length))
		return unexpected(err)
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: sequences are %d deep", errElements, depth)
	}
	in := *e
	if el.vr == "UN" {
		in.explicit = false // PS3.5 6.2.2
	}
	for {
		sub, err := in.next()
		if err != nil {
			return unexpected(err)
		}
		if sub.tag == tagSequenceEnd || sub.tag == tagItemEnd {
			return nil
		}
		if err := in.skipTo(sub, depth+1); err != nil {
			return err
		}
	}
}

// items calls f with the data set of each item of a sequence.
func (e *elements) items(seq element, f func(*elements) error) error {
	in := *e
	if seq.length != undefined {
		in.r = io.LimitReader(e.r, int64(seq.length))
	}
	for {
		it, err := in.next()
		if err == io.EOF && seq.length != undefined || err == nil && it.tag == tagSequenceEnd {
			return nil
		}
		if err != nil {
			return unexpected(err)
		}
		if it.tag != tagItem {
			return fmt.Errorf("%w: (%08X) stands where an item is expected", errElements, it.tag)
		}
		sub := in
		if it.length != undefined {
			sub.r = io.LimitReader(in.r, int64(it.length))
		}
		if err := f(&sub); err != nil {
			return err
		}
	}
}

// each calls f with the elements of a data set or an item up to its end. f reads
// the value, or calls skip.
func (e *elements) each(f func(element) error) error {
	for {
		el, err := e.next()
		if err == io.EOF || err == nil && el.tag == tagItemEnd {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(el); err != nil {
			return err
		}
	}
}
