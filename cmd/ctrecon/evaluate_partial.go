package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ctrecon/ct"
)

// partialMeans are means of the first samples of a method, on the way to the
// mean of all.
type partialMeans struct {
	at     []int
	method string
	n      int
	sum    []float64
	out    []partialMean
}

type partialMean struct {
	method string
	mu     []float32
}

func partialName(method string, k int) string { return fmt.Sprintf("%s/%d", method, k) }

// add takes the next sample.
func (p *partialMeans) add(method string, img ct.Image) {
	if method != p.method {
		p.method, p.n, p.sum = method, 0, make([]float64, len(img.Pix))
	}
	p.n++
	for i, v := range img.Pix {
		p.sum[i] += float64(v)
	}
	if !slices.Contains(p.at, p.n) {
		return
	}
	mu := make([]float32, len(p.sum))
	for i, s := range p.sum {
		mu[i] = float32(s / float64(p.n))
	}
	p.out = append(p.out, partialMean{partialName(method, p.n), mu})
}

// intList reads "1,4".
func intList(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var out []int
	for _, s := range strings.Split(text, ",") {
		k, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || k < 1 {
			return nil, fmt.Errorf("%q: positive numbers are expected", s)
		}
		out = append(out, k)
	}
	return out, nil
}
