package report

import (
	"fmt"
	"strings"
)

func (r *Report) inputFacts() []fact {
	in := &r.Input
	out := []fact{{"Kind", in.Kind}, {"Name", in.Name}, {"Slices", fmt.Sprint(in.Slices)}}
	if in.Reference != "" {
		out = append(out, fact{"Reference", in.Reference})
	}
	if in.SHA256 != "" {
		out = append(out, fact{"SHA-256", in.SHA256})
	}
	return out
}

func (r *Report) protocolFacts() []fact {
	p := r.Protocol
	if p == nil {
		return nil
	}
	return []fact{
		{"Images", fmt.Sprintf("clipped to %s to %s HU", digits(p.ClipHU[0], 4), digits(p.ClipHU[1], 4))},
		{"PSNR, SSIM", fmt.Sprintf("data range R = %s HU", digits(p.DataRange, 4))},
		{"SSIM", p.SSIM}, {"RMSE", p.RMSEMask}, {"Chi-square", p.Chi2},
		{"Mean ± sd", "over slices; sd is the spread between slices, not an error of the mean"},
		{"95 % interval", "of the mean of paired differences (Student); takes slices as independent, so neighbouring slices make it too narrow"},
	}
}

func (r *Report) modelFacts() []fact {
	m := r.Model
	if m == nil {
		return nil
	}
	out := []fact{{"Name", strings.TrimSpace(m.Name + " " + m.Version)}}
	for _, f := range []fact{{"SHA-256", m.SHA256}, {"Licence", m.Licence}, {"Provider", m.Provider}, {"Runtime", m.Runtime}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	if len(m.PixelSizeMM) == 2 {
		out = append(out, fact{"Pixel sizes in training", fmt.Sprintf("%s to %s mm", digits(m.PixelSizeMM[0], 4), digits(m.PixelSizeMM[1], 4))})
	}
	if len(m.RangeHU) == 2 {
		out = append(out, fact{"HU range in training", fmt.Sprintf("%s to %s HU", digits(m.RangeHU[0], 4), digits(m.RangeHU[1], 4))})
	}
	for _, n := range m.Notes {
		out = append(out, fact{"Note", n})
	}
	return out
}

func (r *Report) machineFacts() []fact {
	e := &r.Environment
	out := []fact{{"ctrecon", strings.TrimSpace(r.Tool.Version + " " + commit(r.Tool.Commit))}, {"Go", e.Go}, {"System", e.OS + "/" + e.Arch}}
	for _, f := range []fact{{"Processor", e.CPU}, {"GPU", e.GPU}, {"Projector kernel", e.Kernel}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	cores := fmt.Sprint(e.Cores)
	if e.Workers > 0 {
		cores += ", " + plural(e.Workers, "worker")
	}
	out = append(out, fact{"Cores", cores})
	if e.Seconds > 0 {
		out = append(out, fact{"Whole job", digits(e.Seconds, 3) + " s"})
	}
	if e.PeakMemoryM > 0 {
		out = append(out, fact{"Peak memory", digits(e.PeakMemoryM, 4) + " MiB"})
	}
	if r.Created != "" {
		out = append(out, fact{"Written", r.Created})
	}
	return out
}

func commit(s string) string {
	if s == "" {
		return ""
	}
	return "(commit " + s[:min(len(s), 12)] + ")"
}
