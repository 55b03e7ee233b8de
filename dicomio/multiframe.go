package dicomio

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
	"golang.org/x/sync/errgroup"
)

// maxFrames bounds the frames of an object; maxVolume its pixels, and maxExpansion
// those that a byte of compressed data may give beyond freePixels.
const (
	maxFrames    = 100_000
	maxVolume    = 1 << 30
	freePixels   = 1 << 26
	maxExpansion = 256
)

// macros are the functional groups whose attributes a CT slice has at its top level
// (PS3.3 A.38.1.4, A.70.1.4).
var macros = []tag.Tag{
	tag.PixelMeasuresSequence, tag.PlanePositionSequence, tag.PlaneOrientationSequence, tag.PixelValueTransformationSequence,
	tag.FrameVOILUTSequence, tag.FrameContentSequence, tag.CTImageFrameTypeSequence, tag.CTAcquisitionDetailsSequence,
	tag.CTXRayDetailsSequence, tag.CTReconstructionSequence,
	tag.UnassignedSharedConvertedAttributesSequence, tag.UnassignedPerFrameConvertedAttributesSequence,
}

// multiframe reads the header of an Enhanced CT object: a file a frame, each with the
// header that the frame would have as a CT image of its own. Localizers among them are
// read only where all frames are wanted.
func (h *header) multiframe(all bool) ([]*file, error) {
	n := h.need(tag.NumberOfFrames, 1, maxFrames)
	shared, per := items(h.ds, tag.SharedFunctionalGroupsSequence), items(h.ds, tag.PerFrameFunctionalGroupsSequence)
	if h.err == nil && len(per) != n {
		h.fail(tag.PerFrameFunctionalGroupsSequence, "%d items for %d frames", len(per), n)
	}
	if h.err == nil && len(shared) > 1 {
		h.fail(tag.SharedFunctionalGroupsSequence, "%d items, one is due", len(shared))
	}
	if h.err != nil {
		return nil, h.err
	}
	var common []*dicom.Element
	for _, e := range h.ds.Elements {
		if e.Tag != tag.SharedFunctionalGroupsSequence && e.Tag != tag.PerFrameFunctionalGroupsSequence && e.Tag != tag.NumberOfFrames {
			common = append(common, e)
		}
	}
	if len(shared) == 1 {
		common = append(lifted(shared[0]), common...)
	}
	out := make([]*file, n)
	for i := range out {
		f := &header{file: h.file, ds: &dicom.Dataset{Elements: append(lifted(per[i]), common...)}}
		if n > 1 {
			f.file = fmt.Sprintf("%s frame %d", h.file, i+1)
		}
		why := localizer(f, tag.FrameType)
		if why != "" && !all {
			out[i] = &file{skip: why, frame: n > 1}
			continue
		}
		out[i] = f.slice()
		out[i].slice.Frame, out[i].slice.Number, out[i].frame = i+1, i+1, n > 1
		if why != "" {
			out[i].unfit = why
		}
		if f.err != nil {
			return nil, f.err
		}
	}
	return out, nil
}

// items are the data sets of a sequence.
func items(ds *dicom.Dataset, t tag.Tag) []*dicom.Dataset {
	e, err := ds.FindElementByTag(t)
	if err != nil || e.Value == nil {
		return nil
	}
	seq, ok := e.Value.GetValue().([]*dicom.SequenceItemValue)
	if !ok {
		return nil
	}
	out := make([]*dicom.Dataset, len(seq))
	for i, it := range seq {
		list, _ := it.GetValue().([]*dicom.Element)
		out[i] = &dicom.Dataset{Elements: list}
	}
	return out
}

// lifted are the attributes of the functional groups in an item.
func lifted(group *dicom.Dataset) []*dicom.Element {
	var out []*dicom.Element
	for _, m := range macros {
		for _, it := range items(group, m) {
			out = append(out, it.Elements...)
		}
	}
	for _, e := range out {
		if e.Tag != tag.FrameAcquisitionNumber {
			continue
		}
		if v, ok := e.Value.GetValue().([]int); ok && len(v) == 1 {
			a := must(tag.AcquisitionNumber, []string{strconv.Itoa(v[0])})
			a.ValueLength = 2 // not empty
			out = append(out, a)
		}
		break
	}
	return out
}

// readPixels fills the slices of an object, whose files are its frames in order.
func readPixels(in *stream, l *layout, files []*file, workers int) error {
	i := slices.IndexFunc(files, func(f *file) bool { return f.skip == "" })
	if i < 0 {
		return nil
	}
	size := files[i].image.bytes()
	packed, err := l.check(in.name, &files[i].image, len(files))
	if err != nil {
		return err
	}
	free := make(chan []byte, workers+1)
	for range cap(free) {
		free <- nil
	}
	var g errgroup.Group
	g.SetLimit(workers)
	for i, f := range files {
		if f.skip != "" {
			continue
		}
		buf := <-free
		var px []byte
		if packed != nil {
			px = packed[i]
		} else {
			if buf == nil && l.at+(i+1)*size > len(l.in.b) {
				buf = make([]byte, size)
			}
			if px, err = l.in.take(l.at+i*size, size, buf); err != nil {
				break
			}
		}
		g.Go(func() (err error) {
			defer func() { free <- buf }()
			f.slice.HU, f.slice.Padding, err = f.image.hu(f.slice.File, l, px)
			return err
		})
	}
	if e := g.Wait(); err == nil {
		err = e
	}
	if err == nil {
		err = l.trailing(in.name)
	}
	if err == nil {
		err = in.finish()
	}
	return err
}

// trailing checks what follows the pixel data: elements, or zeros that fill a block.
// Anything else is a sign that bytes were put in before.
func (l *layout) trailing(file string) error {
	tail, err := l.in.rest(l.end)
	if err != nil {
		return err
	}
	w := &walker{file: file, in: inMemory(file, tail), order: l.order, implicit: l.implicit}
	last := uint32(tagPixels)
	for at := 0; at < len(tail); {
		if len(bytes.Trim(tail[at:], "\x00")) == 0 {
			return nil
		}
		e, err := w.next(at, len(tail))
		if err == nil && e.tag <= last {
			err = w.wrong(at, name(e.tag)+" there")
		}
		if err == nil {
			last = e.tag
			at, err = w.skip(e, len(tail), 0)
		}
		if err != nil {
			return &FormatError{file, "after the pixel data: " + reason(err)}
		}
	}
	return nil
}

// check compares the pixel data with what the header says of n frames. It gives the
// compressed bytes of each frame, nil where they are not compressed.
func (l *layout) check(file string, im *image, n int) ([][]byte, error) {
	if int64(n)*int64(im.rows)*int64(im.cols) > maxVolume {
		return nil, &UnsupportedError{file, fmt.Sprintf("%d frames of %d x %d pixels: up to %d pixels are read", n, im.rows, im.cols, maxVolume)}
	}
	need, have := n*im.bytes(), l.length
	if !l.encapsulated {
		switch row := im.bytes() / im.rows; {
		case have < need:
			return nil, &FormatError{file, fmt.Sprintf("pixel data of %d bytes, %d frame(s) of %d x %d pixels of %d bits need %d: the file is cut", have, n, im.rows, im.cols, im.allocated, need)}
		case have >= need+max(2, row):
			return nil, &FormatError{file, fmt.Sprintf("pixel data of %d bytes, %d frame(s) of %d x %d pixels of %d bits need %d: the header or the data are wrong", have, n, im.rows, im.cols, im.allocated, need)}
		}
		return nil, nil
	}
	packed, err := l.frames(file, n)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, p := range packed {
		total += len(p)
	}
	if pixels := n * im.rows * im.cols; n > 1 && pixels > freePixels && pixels/maxExpansion > total {
		return nil, &FormatError{file, fmt.Sprintf("%d frames of %d x %d pixels in %d bytes of compressed data", n, im.rows, im.cols, total)}
	}
	return packed, nil
}
