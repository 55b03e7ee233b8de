package codec

// Lifting constants of the irreversible wavelet (T.800 table F.4).
const (
	liftAlpha = -1.586134342059924
	liftBeta  = -0.052980118572961
	liftGamma = 0.882911075530934
	liftDelta = 0.443506852043971
	liftK     = 1.230174104914001
)

// lifting is a wavelet's inverse: the steps change every second value by its two
// neighbours, even values first and then in turn.
type lifting[T int32 | float32] struct {
	coefficient func(v int32, step float64) T
	steps       []func(v, left, right T) T
	low, high   T // scales before the steps
	single      func(v T) T
}

// inverse53 is the reversible wavelet (F.3.8.1).
func inverse53(res []*j2kResolution) []int32 {
	l := lifting[int32]{
		coefficient: func(v int32, _ float64) int32 { return v / 2 },
		steps: []func(v, a, b int32) int32{
			func(v, a, b int32) int32 { return v - (a+b+2)>>2 },
			func(v, a, b int32) int32 { return v + (a+b)>>1 },
		},
		low: 1, high: 1, single: func(v int32) int32 { return v / 2 },
	}
	return l.inverse(res)
}

// inverse97 is the irreversible wavelet (F.3.8.2).
func inverse97(res []*j2kResolution) []float32 {
	by := func(k float32) func(v, a, b float32) float32 {
		return func(v, a, b float32) float32 { return v - k*(a+b) }
	}
	l := lifting[float32]{
		coefficient: func(v int32, step float64) float32 { return float32(float64(v) * step / 2) },
		steps:       []func(v, a, b float32) float32{by(liftDelta), by(liftGamma), by(liftBeta), by(liftAlpha)},
		low:         liftK, high: 1 / liftK, single: func(v float32) float32 { return v / 2 },
	}
	return l.inverse(res)
}

// inverse joins the bands of all resolutions (F.3.1). Bands are freed on the way.
func (l *lifting[T]) inverse(res []*j2kResolution) []T {
	v := l.band(res[0].bands[0])
	for _, r := range res[1:] {
		v = l.join(r, v)
	}
	return v
}

// band takes a band's coefficients.
func (l *lifting[T]) band(b *j2kBand) []T {
	out := make([]T, len(b.v))
	for i, v := range b.v {
		out[i] = l.coefficient(v, b.step)
	}
	b.v = nil
	return out
}

// join makes a resolution of the one below and its three bands.
func (l *lifting[T]) join(r *j2kResolution, ll []T) []T {
	hl, lh, hh := l.band(r.bands[0]), l.band(r.bands[1]), l.band(r.bands[2])
	w, h := r.w(), r.h()
	out := make([]T, w*h)
	oddX, oddY := r.x0&1, r.y0&1
	lowW, highW := (w+1-oddX)/2, (w+oddX)/2
	for y := range h {
		k, low, high := y/2, ll, hl
		if (y+oddY)&1 != 0 {
			low, high = lh, hh
		}
		line := out[y*w : (y+1)*w]
		for x, v := range low[k*lowW : (k+1)*lowW] {
			line[2*x+oddX] = v
		}
		for x, v := range high[k*highW : (k+1)*highW] {
			line[2*x+1-oddX] = v
		}
		l.along(line, oddX)
	}
	l.across(out, w, h, oddY)
	return out
}

// along transforms a line, whose first value is odd where odd is 1.
func (l *lifting[T]) along(x []T, odd int) {
	n := len(x)
	if n == 1 {
		if odd == 1 {
			x[0] = l.single(x[0])
		}
		return
	}
	scale := [2]T{l.low, l.high}
	if l.low != l.high {
		for i := range x {
			x[i] *= scale[(i+odd)&1]
		}
	}
	for s, f := range l.steps {
		i := (odd + s) & 1
		if i == 0 {
			x[0] = f(x[0], x[1], x[1])
			i = 2
		}
		for ; i < n-1; i += 2 {
			x[i] = f(x[i], x[i-1], x[i+1])
		}
		if i == n-1 {
			x[i] = f(x[i], x[i-1], x[i-1])
		}
	}
}

// across does the same to all columns, a row at a time.
func (l *lifting[T]) across(v []T, w, h, odd int) {
	row := func(y int) []T { return v[y*w : (y+1)*w] }
	if h == 1 {
		if odd == 1 {
			for i := range v {
				v[i] = l.single(v[i])
			}
		}
		return
	}
	scale := [2]T{l.low, l.high}
	if l.low != l.high {
		for i := range v {
			v[i] *= scale[(i/w+odd)&1]
		}
	}
	for s, f := range l.steps {
		for y := (odd + s) & 1; y < h; y += 2 {
			above, below := y-1, y+1
			if y == 0 {
				above = 1
			}
			if y == h-1 {
				below = h - 2
			}
			a, b, x := row(above), row(below), row(y)
			for i := range x {
				x[i] = f(x[i], a[i], b[i])
			}
		}
	}
}
