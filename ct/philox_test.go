package ct

import (
	"math"
	"testing"
)

// TestPhiloxKnownAnswers: the test vectors that Random123 publishes for
// philox4x32-10.
func TestPhiloxKnownAnswers(t *testing.T) {
	tests := []struct {
		name    string
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{"zeros", [4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{"ones", [4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{"pi", [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	}
	for _, tt := range tests {
		s := Stream{key: tt.key, high: [2]uint32{tt.counter[2], tt.counter[3]}}
		if got := s.Bits(uint64(tt.counter[1])<<32 | uint64(tt.counter[0])); got != tt.want {
			t.Errorf("%s: %08x, want %08x", tt.name, got, tt.want)
		}
	}
}

// TestNormals: mean and variance within five standard errors, and the same
// numbers from any start.
func TestNormals(t *testing.T) {
	const n = 100_000
	s := NewStream(7, 3, 1, 2)
	x, part := make([]float32, n), make([]float32, 100)
	s.Normals(x, 0)
	s.Normals(part, 5000)
	sum, square := 0.0, 0.0
	for _, v := range x {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	if m := sum / n; math.Abs(m) > 5/math.Sqrt(n) {
		t.Errorf("mean %g", m)
	}
	if v := square / n; math.Abs(v-1) > 5*math.Sqrt(2.0/n) {
		t.Errorf("variance %g", v)
	}
	for i, v := range part {
		if v != x[5000+i] {
			t.Fatalf("number %d is %g from the start and %g from 5000", 5000+i, x[5000+i], v)
		}
	}
}

func TestHU(t *testing.T) {
	tests := []struct {
		name    string
		mu, hu  float64
		inverse bool
	}{
		{"water", MuWater, 0, true}, {"vacuum", 0, -1000, true}, {"twice water", 2 * MuWater, 1000, true},
	}
	for _, tt := range tests {
		if got := ToHU(tt.mu, MuWater); math.Abs(got-tt.hu) > 1e-9 {
			t.Errorf("%s: ToHU = %g, want %g", tt.name, got, tt.hu)
		}
		if got := FromHU(tt.hu, MuWater); math.Abs(got-tt.mu) > 1e-12 {
			t.Errorf("%s: FromHU = %g, want %g", tt.name, got, tt.mu)
		}
	}
	if got := FromHU(-3000, MuWater); got != 0 {
		t.Errorf("attenuation of -3000 HU is %g, want 0", got)
	}
}

func TestDefaultBins(t *testing.T) {
	for n, want := range map[int]int{256: 367, 512: 729} {
		if got := DefaultBins(Square(n, 0.7)); got != want {
			t.Errorf("DefaultBins of %d = %d, want %d", n, got, want)
		}
	}
}
