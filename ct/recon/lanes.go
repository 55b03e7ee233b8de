package recon

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ctrecon/ct"
	"ctrecon/ct/solve"
	"ctrecon/ldm"
	"ctrecon/ldm/onnx"
)

// lane draws samples of a slice beside other lanes. Networks and work space are
// its own; two networks of one thread each are faster than one of two threads,
// whose operators are too small to share.
type lane struct {
	s     ldm.Sampler
	posed *ldm.Posed // what resample sees its network through, nil elsewhere
	turn  bool       // each sample in another pose
	A     solve.LinearOperator
	ridge *solve.Ridge
	data  *linearData
}

// laneCount shares the worker's threads among its samples: at most one lane a
// sample, the rest of the threads inside the networks. A GPU has one lane.
func (m *diffusion) laneCount() (lanes, threads int) {
	threads = max(1, m.opt.Threads)
	if m.opt.Device != "" && m.opt.Device != "cpu" {
		return 1, threads
	}
	lanes = min(threads, m.samples())
	return lanes, threads / lanes
}

// openLanes opens the networks of all lanes, which takes a third of a second each,
// beside each other.
func (m *diffusion) openLanes() error {
	n, threads := m.laneCount()
	lanes := make([]lane, n)
	var g errgroup.Group
	for i := range lanes {
		g.Go(func() (err error) {
			defer recovered(&err)
			one := &diffusion{name: m.name, opt: m.opt, bundle: m.bundle} // says the same as the others
			lanes[i], err = one.makeSampler(onnx.Options{Threads: threads, Device: m.opt.Device})
			if i == 0 {
				m.about = one.about
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	m.lanes = lanes
	return nil
}

// planLanes gives every lane a projector for the slice's geometry; the first
// takes that of the plan.
func (m *diffusion) planLanes(job *Slice) (err error) {
	for i := range m.lanes {
		l := &m.lanes[i]
		if l.A = m.A; i > 0 {
			if l.A, err = NewProjector(job.Grid, job.Sino.Geometry, job.Fan); err != nil {
				return err
			}
		}
		l.ridge = solve.NewRidge(l.A)
	}
	return nil
}

// sample draws the samples; their moments are left in acc. Sample k has random
// numbers of its own and is added k-th, so that no bit depends on the lanes.
func (m *diffusion) sample(ctx context.Context, job *Slice, fbp, warm []float32, p Progress) error {
	if !m.conditioned() {
		fbp = nil
	}
	images := make([][]float32, m.samples())
	step := m.counter(p)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for i := range m.lanes {
		g.Go(func() (err error) {
			defer recovered(&err)
			for {
				k := int(next.Add(1)) - 1
				if k >= len(images) {
					return nil
				}
				images[k] = make([]float32, job.Grid.Len())
				if err := m.lanes[i].draw(ctx, images[k], job, k, fbp, warm, step); err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	m.acc.reset(job.Grid.Len())
	for _, u := range images {
		m.acc.add(u)
		if job.Sample != nil {
			img := ct.NewImage(job.Grid)
			m.lanes[0].data.toMu(img.Pix, u)
			job.Sample(m.name, img)
		}
	}
	return nil
}

// draw writes sample k to u.
func (l *lane) draw(ctx context.Context, u []float32, job *Slice, k int, fbp, warm []float32, step func(int)) error {
	stream := func(step uint32) ct.Stream { return ct.NewStream(job.Seed, job.Index, k, step+1) }
	if l.turn {
		l.posed.Pose = ldm.PoseOf(k)
	}
	return l.s.Sample(ctx, u, l.data, warm, fbp, stream, step)
}

// counter turns the steps of all lanes into the progress of the slice.
func (m *diffusion) counter(p Progress) func(int) {
	if p == nil {
		return nil
	}
	var mu sync.Mutex
	done, all := 0, m.samples()*m.lanes[0].s.Steps()
	return func(int) {
		mu.Lock()
		defer mu.Unlock()
		done++
		p(done, all, math.NaN())
	}
}

// recovered turns a panic into an error, so that one bad slice cannot take a
// service down. To be deferred.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("a bug of ours: %v\n%s", p, debug.Stack())
	}
}
