package sinofile

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"ctrecon/ct"
)

// WriteNPY writes data as a float32 .npy array (version 1.0, C order) of the
// given shape. The file gets its name when it is whole. A shape that does not
// fit the data panics.
func WriteNPY(path string, data []float32, shape ...int) error {
	if n, ok := product(shape); !ok || n != int64(len(data)) {
		panic(fmt.Sprintf("sinofile: shape %s for %d values", shapeText(shape), len(data)))
	}
	return writeWhole(path, func(w io.Writer) error {
		if _, err := w.Write(npyPreamble(shape)); err != nil {
			return err
		}
		return writeFloats(w, data)
	})
}

// npyPreamble is magic, version, length and dictionary, padded so that the data
// start at a multiple of 64 bytes.
func npyPreamble(shape []int) []byte {
	dict := "{'descr': '<f4', 'fortran_order': False, 'shape': " + shapeText(shape) + ", }"
	dict += strings.Repeat(" ", 63-(10+len(dict))%64) + "\n"
	return append(binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(dict))), dict...)
}

func writeFloats(w io.Writer, data []float32) error {
	if hostLittle {
		_, err := w.Write(rawBytes(data))
		return err
	}
	b := bufio.NewWriter(w)
	for _, v := range data {
		u := math.Float32bits(v)
		if _, err := b.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)}); err != nil {
			return err
		}
	}
	return b.Flush()
}

// writeWhole writes a file under a temporary name, forces it to disk, and gives
// it its final name. On an error nothing is left.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// WriteSidecar writes sc, atomically, as indented JSON. A sidecar that
// ReadSidecar would refuse is an error and is not written.
func WriteSidecar(path string, sc *Sidecar) error {
	b, err := json.MarshalIndent(sc, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if _, err := parseSidecar(fileName(filepath.Base(path)), b); err != nil {
		return err
	}
	return writeWhole(path, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// SidecarOf describes a parallel-beam sinogram as WriteSinogram stores it.
func SidecarOf(s *ct.Sinogram) *Sidecar {
	sc := &Sidecar{Geometry: "parallel", Axes: []string{"view", "bin"}, Data: lineIntegrals.String(), Tool: "ctrecon"}
	sc.Spacing, sc.Offset = &s.BinSize, &s.Offset
	sc.AnglesDeg = &Angles{List: s.Angles}
	if s.Noise.Sigma > 0 {
		sc.Noise = &s.Noise.Sigma
	}
	if s.Noise.Photons > 0 {
		sc.Photons = &s.Noise.Photons
	}
	return sc
}

// WriteSinogram writes path (.npy, [view][bin], nepers) and its sidecar
// path.json. A sinogram whose parts do not fit one another is an error.
func WriteSinogram(path string, s *ct.Sinogram) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := WriteNPY(path, s.Data, s.Views(), s.Bins); err != nil {
		return err
	}
	sc := SidecarOf(s)
	if s.Sigma != nil {
		sc.Mask = filepath.Base(path) + ".mask.npy"
		if err := WriteNPY(path+".mask.npy", deadMask(s), s.Views(), s.Bins); err != nil {
			return err
		}
	}
	return WriteSidecar(path+".json", sc)
}

// WriteStack writes path (.npy, [slice][view][bin], nepers) of n slices with one
// geometry, and its sidecar path.json, which proposes grid for the images.
func WriteStack(path string, data []float32, n int, geo ct.Geometry, noise ct.Noise, grid ct.Grid, muWater float64) error {
	if err := WriteNPY(path, data, n, geo.Views(), geo.Bins); err != nil {
		return err
	}
	sc := SidecarOf(&ct.Sinogram{Geometry: geo, Noise: noise})
	sc.Axes = []string{"row", "view", "bin"}
	sc.MuWater = &muWater
	if grid.W == grid.H && grid.DX == grid.DY {
		sc.ImageSize, sc.PixelSize = &grid.W, &grid.DX
	}
	return WriteSidecar(path+".json", sc)
}

// deadMask is 1 where nothing was measured.
func deadMask(s *ct.Sinogram) []float32 {
	m := make([]float32, len(s.Data))
	for i := range m {
		if s.Dead(i) {
			m[i] = 1
		}
	}
	return m
}
