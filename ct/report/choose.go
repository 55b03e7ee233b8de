package report

import (
	"math/bits"
	"sort"
)

// MaxSlices bounds the slices whose pixels stand in report.html.
const MaxSlices = 24

// worstSlices are the indices at which each method is worst, by PSNR where
// there is a reference and by misfit else, without doubles, best method first.
func (r *Report) worstSlices() []int {
	var out []int
	seen := map[int]bool{}
	for _, i := range r.ranking() {
		s := r.Methods[i].mainStat()
		if s != nil && !seen[s.WorstSlice] {
			seen[s.WorstSlice] = true
			out = append(out, s.WorstSlice)
		}
	}
	return out
}

func (m *Method) mainStat() *Stat {
	if m.Summary.PSNR != nil {
		return m.Summary.PSNR
	}
	return m.Summary.Chi2
}

// ranking orders methods from best to worst: by mean PSNR, or by how near the
// misfit is to 1 where there is no reference. Methods without either come last.
func (r *Report) ranking() []int {
	order := make([]int, len(r.Methods))
	for i := range order {
		order[i] = i
	}
	bad := func(i int) float64 {
		m := &r.Methods[i]
		switch {
		case m.Summary.PSNR != nil:
			return badness(m.Summary.PSNR.Mean, "higher")
		case m.Summary.Chi2 != nil:
			return badness(m.Summary.Chi2.Mean, "one")
		}
		return 1e300
	}
	sort.SliceStable(order, func(a, b int) bool { return bad(order[a]) < bad(order[b]) })
	return order
}

// indices are the slices of all methods in order.
func (r *Report) indices() []int {
	seen := map[int]bool{}
	var out []int
	for _, m := range r.Methods {
		for _, s := range m.Slices {
			if !seen[s.Index] {
				seen[s.Index] = true
				out = append(out, s.Index)
			}
		}
	}
	sort.Ints(out)
	return out
}

// choose picks at most limit of the slices: those in must first, then evenly
// spread ones, in an order in which every beginning is spread as well.
func choose(all, must []int, limit int) []int {
	if len(all) <= limit {
		limit = len(all)
	}
	taken := map[int]bool{}
	var out []int
	add := func(i int) {
		if !taken[i] && len(out) < limit {
			taken[i] = true
			out = append(out, i)
		}
	}
	for _, i := range must {
		add(i)
	}
	for _, k := range spreadOrder(limit) {
		if limit == 1 {
			add(all[len(all)/2])
			break
		}
		add(all[k*(len(all)-1)/(limit-1)])
	}
	for _, k := range spreadOrder(len(all)) {
		add(all[k])
	}
	return out
}

// spreadOrder lists 0..n-1 in bit-reversed order.
func spreadOrder(n int) []int {
	width := bits.Len(uint(max(n-1, 1)))
	out := make([]int, 0, n)
	for i := 0; i < 1<<width; i++ {
		if k := int(bits.Reverse(uint(i)) >> (bits.UintSize - width)); k < n {
			out = append(out, k)
		}
	}
	return out
}
