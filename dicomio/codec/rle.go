package codec

import "encoding/binary"

const rleHeader = 64

// rleGrowth is the most that two bytes of RLE can become, over two.
const rleGrowth = 64

// decodeRLE decodes RLE Lossless (PS3.5 annex G): a segment a byte of the word,
// the most significant first, each packed as PackBits.
func decodeRLE(data []byte, f Frame) ([]byte, error) {
	n, words := f.Rows*f.Cols, f.BitsAllocated/8
	segments, err := rleSegments(data, words)
	if err != nil {
		return nil, err
	}
	for i, s := range segments {
		if len(s) < n/rleGrowth {
			return nil, wrong("RLE segment %d: %d bytes cannot hold %d pixels: the frame is cut", i+1, len(s), n)
		}
	}
	out := make([]byte, n*words)
	for i, s := range segments {
		if got := unpackBits(out[words-1-i:], words, n, s); got < n {
			return nil, wrong("RLE segment %d: ends after %d of %d pixels: the frame is cut", i+1, got, n)
		}
	}
	return out, nil
}

// rleSegments splits a frame by its header.
func rleSegments(data []byte, words int) ([][]byte, error) {
	if len(data) < rleHeader {
		return nil, wrong("RLE header: %d bytes, %d are needed", len(data), rleHeader)
	}
	count := binary.LittleEndian.Uint32(data)
	if count == 3 && words == 1 || count == 3*uint32(words) {
		return nil, unsupported("RLE header: %d segments: colour is not supported", count)
	}
	if count != uint32(words) {
		return nil, wrong("RLE header: %d segments, pixels of %d bits need %d", count, 8*words, words)
	}
	out := make([][]byte, words)
	end := uint32(len(data))
	for i := words - 1; i >= 0; i-- {
		at := binary.LittleEndian.Uint32(data[4+4*i:])
		if at < rleHeader || at > end {
			return nil, wrong("RLE header: segment %d starts at byte %d, outside %d to %d", i+1, at, rleHeader, end)
		}
		out[i], end = data[at:end], at
	}
	return out, nil
}

// unpackBits writes up to n bytes of a PackBits segment to every step-th byte of
// dst and returns how many there were. What follows the n-th is padding.
func unpackBits(dst []byte, step, n int, s []byte) int {
	k := 0
	for i := 0; i < len(s) && k < n; {
		c := int(int8(s[i]))
		i++
		switch {
		case c >= 0:
			run := min(c+1, len(s)-i, n-k)
			for _, v := range s[i : i+run] {
				dst[k*step] = v
				k++
			}
			i += c + 1
		case c > -128 && i < len(s):
			for end := min(k+1-c, n); k < end; k++ {
				dst[k*step] = s[i]
			}
			i++
		}
	}
	return k
}
