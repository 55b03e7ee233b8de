package codec

import "encoding/binary"

// encodeRLE encodes RLE Lossless (PS3.5 annex G).
func encodeRLE(px []byte, f Frame) []byte {
	words := f.BitsAllocated / 8
	order := make([]int, words)
	for i := range order {
		order[i] = words - 1 - i // the most significant byte first
	}
	return rleSegmented(px, f.Cols, order)
}

// EncodeRGB compresses red, green and blue bytes, pixel by pixel, by RLE. It panics
// when there are not 3*rows*cols of them.
func EncodeRGB(px []byte, rows, cols int) []byte {
	if len(px) != 3*rows*cols {
		panic("codec: wrong length of a colour image")
	}
	return rleSegmented(px, cols, []int{0, 1, 2})
}

// rleSegmented writes a segment for each byte of a pixel, in the order given. A line is
// packed by itself.
func rleSegmented(px []byte, cols int, order []int) []byte {
	out := make([]byte, rleHeader, rleHeader+len(px)/2)
	binary.LittleEndian.PutUint32(out, uint32(len(order)))
	line, step := make([]byte, cols), len(order)
	for i, first := range order {
		binary.LittleEndian.PutUint32(out[4+4*i:], uint32(len(out)))
		for at := 0; at < len(px); at += cols * step {
			for x := range line {
				line[x] = px[at+x*step+first]
			}
			out = packBits(out, line)
		}
		out = even(out)
	}
	return out
}

// packBits appends s by PackBits: runs of two and more, unless a literal goes on
// around a run of two.
func packBits(out, s []byte) []byte {
	literal := 0 // bytes before i that are not written yet
	flush := func(end int) {
		for literal > 0 {
			n := min(literal, 128)
			out = append(append(out, byte(n-1)), s[end-literal:end-literal+n]...)
			literal -= n
		}
	}
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && n < 128 && s[i+n] == s[i] {
			n++
		}
		if n < 3 && (literal > 0 || n == 1) {
			literal += n
			i += n
			continue
		}
		flush(i)
		out = append(out, byte(1-n), s[i])
		i += n
	}
	flush(len(s))
	return out
}
