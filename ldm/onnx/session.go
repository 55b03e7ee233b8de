package onnx

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// Port is an input or output of a graph: its name and static shape.
type Port struct {
	Name  string
	Shape []int64
}

// Options of a session.
type Options struct {
	Threads int    // inside one operator, 0 = 1
	Device  string // "cpu" or "cuda:N"
}

// Session is one graph ready to run, with its tensors. It is used by one
// goroutine at a time.
type Session struct {
	s       *ort.DynamicAdvancedSession
	run     *ort.RunOptions
	in, out []ort.Value
	inData  [][]float32
	outData [][]float32
}

// NewSession opens the graph in model (the bytes of an .onnx file) and allocates
// a tensor for each port. Open must have succeeded before.
func NewSession(model []byte, in, out []Port, o Options) (*Session, error) {
	if _, err := Open(); err != nil {
		return nil, err
	}
	opts, err := sessionOptions(o)
	if err != nil {
		return nil, err
	}
	defer opts.Destroy()
	s := &Session{}
	if s.in, s.inData, err = tensors(in); err != nil {
		return nil, err
	}
	if s.out, s.outData, err = tensors(out); err != nil {
		s.Close()
		return nil, err
	}
	if s.run, err = ort.NewRunOptions(); err != nil {
		s.Close()
		return nil, err
	}
	if s.s, err = ort.NewDynamicAdvancedSessionWithONNXData(model, names(in), names(out), opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("graph cannot be opened: %w", oneLine(err))
	}
	return s, nil
}

func sessionOptions(o Options) (*ort.SessionOptions, error) {
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	// Spinning threads would take the cores from the projector between two runs.
	for _, err := range []error{
		opts.SetIntraOpNumThreads(max(1, o.Threads)),
		opts.SetInterOpNumThreads(1),
		opts.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		appendCUDA(opts, o.Device),
	} {
		if err != nil {
			opts.Destroy()
			return nil, err
		}
	}
	return opts, nil
}

// appendCUDA adds the CUDA provider for a device "cuda:N" or "cuda".
func appendCUDA(opts *ort.SessionOptions, device string) error {
	kind, id, _ := strings.Cut(device, ":")
	switch kind {
	case "", "cpu":
		return nil
	case "cuda":
	default:
		return fmt.Errorf("device %q: there is cpu, cuda, cuda:N", device)
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	defer cuda.Destroy()
	if id == "" {
		id = "0"
	}
	if err := cuda.Update(cudaOptions(id)); err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	if err := opts.AppendExecutionProviderCUDA(cuda); err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	return nil
}

// cudaOptions are the provider's settings for GPU id. HEURISTIC takes cuDNN's own
// choice of algorithm, the same in each session; EXHAUSTIVE asks a slower
// heuristic, and DEFAULT takes cuDNN's fallback engines, which are slow. TF32
// would cut convolutions to 10 bits. Many small sessions share the GPU, so an
// arena may not double.
func cudaOptions(id string) map[string]string {
	return map[string]string{
		"device_id":              id,
		"cudnn_conv_algo_search": "HEURISTIC",
		"use_tf32":               "0",
		"arena_extend_strategy":  "kSameAsRequested",
	}
}

func tensors(ports []Port) ([]ort.Value, [][]float32, error) {
	var values []ort.Value
	var data [][]float32
	for _, p := range ports {
		t, err := ort.NewEmptyTensor[float32](ort.NewShape(p.Shape...))
		if err != nil {
			for _, v := range values {
				v.Destroy()
			}
			return nil, nil, fmt.Errorf("tensor %s %v: %w", p.Name, p.Shape, err)
		}
		values, data = append(values, t), append(data, t.GetData())
	}
	return values, data, nil
}

func names(ports []Port) []string {
	n := make([]string, len(ports))
	for i, p := range ports {
		n[i] = p.Name
	}
	return n
}

// In is the memory of input i, to be filled before Run.
func (s *Session) In(i int) []float32 { return s.inData[i] }

// Out is the memory of output i, valid until the next Run.
func (s *Session) Out(i int) []float32 { return s.outData[i] }

// Run computes the outputs. When ctx ends, the run stops at the next operator
// and ctx's error comes back; the session can run again.
func (s *Session) Run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		s.run.Terminate()
		close(terminated)
	})
	err := s.s.RunWithOptions(s.in, s.out, s.run)
	runtime.KeepAlive(s.inData)
	if !stop() {
		<-terminated
		s.run.UnsetTerminate()
		return ctx.Err()
	}
	return oneLine(err)
}

// Close releases the graph and its tensors.
func (s *Session) Close() {
	if s.s != nil {
		s.s.Destroy()
	}
	if s.run != nil {
		s.run.Destroy()
	}
	for _, v := range append(s.in, s.out...) {
		v.Destroy()
	}
	*s = Session{}
}
