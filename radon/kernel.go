package radon

import (
	"fmt"
	"math"
	"strings"
	"unsafe"
)

// block is the width, in floats, of the column blocks that the kernels work on.
const block = 32

// vec is a vector of the sums: 16 floats, a cache line.
const vec = 16

// jobVecs is how many vectors of a job the AVX-512 kernel does at once: as many as
// registers hold.
const jobVecs = 20

// descPad is what the number of windows of a view is padded to.
const descPad = 16

// kernel is one implementation of the inner loops; the zero value is portable.
type kernel int

const (
	kernelGo kernel = iota
	kernelAVX2
	kernelAVX512
)

// String is the name of the kernel as [Kernels] lists it.
func (k kernel) String() string { return [...]string{"go", "avx2", "avx512"}[k] }

// Kernels names the implementations of the inner loops that this processor can
// run, the preferred one first: "avx512" and "avx2" on amd64, and always "go".
// Options.Kernel picks one. Sums are the same in the same order, but for fused
// multiply-adds, so results differ in the last bits.
func Kernels() []string {
	var names []string
	for k := bestKernel(); k >= 0; k-- {
		names = append(names, k.String())
	}
	return names
}

func kernelByName(name string) (kernel, error) {
	if name == "" {
		return bestKernel(), nil
	}
	for k := bestKernel(); k >= 0; k-- {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("radon: kernel %q is not available here (%s)", name, strings.Join(Kernels(), ", "))
}

// tapUnit is what the length of a window is a multiple of.
func (k kernel) tapUnit() int {
	if k == kernelGo {
		return 4
	}
	return 16
}

// alloc returns n zero floats that start on a cache line.
func alloc(n int) []float32 {
	b := make([]float32, n+16)
	o := int(-uintptr(unsafe.Pointer(&b[0]))&63) / 4
	return b[o : o+n : o+n]
}

func roundUp(n, m int) int { return (n + m - 1) / m * m }

func padCopy(dst, src []float32, w, h, stride int) {
	for r := range h {
		copy(dst[r*stride:r*stride+w], src[r*w:(r+1)*w])
	}
}

func isInf(v float32) bool { return v > math.MaxFloat32 }
