package metrics

// bodyHU separates the body from air.
const bodyHU = -500

// Body is the mask of the patient in ref (HU, w columns): the largest
// 4-connected part above -500 HU after an opening with a 3 x 3 cross, holes
// filled. Without such a part the mask is everything.
func Body(ref []float32, w int) []bool {
	h := len(ref) / w
	m := make([]bool, len(ref))
	for i, v := range ref {
		m[i] = v > bodyHU
	}
	m = morph(morph(m, w, h, true), w, h, false)
	m = largest(m, w, h)
	if m == nil {
		m = make([]bool, len(ref))
		for i := range m {
			m[i] = true
		}
		return m
	}
	return filled(m, w, h)
}

// morph erodes or dilates with a cross. Outside the image nothing is set.
func morph(m []bool, w, h int, erode bool) []bool {
	out := make([]bool, len(m))
	at := func(r, c int) bool { return r >= 0 && r < h && c >= 0 && c < w && m[r*w+c] }
	for r := range h {
		for c := range w {
			if erode {
				out[r*w+c] = at(r, c) && at(r-1, c) && at(r+1, c) && at(r, c-1) && at(r, c+1)
			} else {
				out[r*w+c] = at(r, c) || at(r-1, c) || at(r+1, c) || at(r, c-1) || at(r, c+1)
			}
		}
	}
	return out
}

// largest is the largest 4-connected part; of equal ones the first in row order.
func largest(m []bool, w, h int) []bool {
	seen := make([]bool, len(m))
	var best []int
	for i := range m {
		if m[i] && !seen[i] {
			if p := flood(m, seen, w, h, i, true); len(p) > len(best) {
				best = p
			}
		}
	}
	if best == nil {
		return nil
	}
	out := make([]bool, len(m))
	for _, i := range best {
		out[i] = true
	}
	return out
}

// flood lists the pixels connected to start that have the given value.
func flood(m, seen []bool, w, h, start int, value bool) []int {
	seen[start] = true
	list := []int{start}
	for k := 0; k < len(list); k++ {
		i := list[k]
		r, c := i/w, i%w
		for _, n := range [4][2]int{{r - 1, c}, {r + 1, c}, {r, c - 1}, {r, c + 1}} {
			if n[0] < 0 || n[0] >= h || n[1] < 0 || n[1] >= w {
				continue
			}
			if j := n[0]*w + n[1]; m[j] == value && !seen[j] {
				seen[j] = true
				list = append(list, j)
			}
		}
	}
	return list
}

// filled sets what cannot be reached from the border.
func filled(m []bool, w, h int) []bool {
	outside := make([]bool, len(m))
	for r := range h {
		for c := range w {
			i := r*w + c
			if (r == 0 || c == 0 || r == h-1 || c == w-1) && !m[i] && !outside[i] {
				flood(m, outside, w, h, i, false)
			}
		}
	}
	out := make([]bool, len(m))
	for i := range m {
		out[i] = !outside[i]
	}
	return out
}
