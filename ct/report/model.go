package report

// SchemaID is the value of the field "schema" and the $id of Schema.
const SchemaID = "urn:ctrecon:report:1"

// ResearchUse stands in every report.
const ResearchUse = "Research use only - not for diagnosis"

// Report is report.json. Fill the fields that the job knows and call Finish,
// which computes Summary and Comparison from the slices.
type Report struct {
	Schema      string       `json:"schema"`
	Notice      string       `json:"notice"`            // ResearchUse
	Created     string       `json:"created,omitempty"` // RFC 3339
	Tool        Tool         `json:"tool"`
	Command     []string     `json:"command,omitempty"` // arguments that repeat the job
	Input       Input        `json:"input"`
	Geometry    Geometry     `json:"geometry"`
	Noise       Noise        `json:"noise"`
	Model       *Model       `json:"model,omitempty"`
	Protocol    *Protocol    `json:"protocol,omitempty"` // how the metrics are defined
	Measures    []Measure    `json:"measures,omitempty"` // what the Extra values of slices mean
	Methods     []Method     `json:"methods"`
	Comparison  []Comparison `json:"comparison"`
	Warnings    []string     `json:"warnings"`
	Environment Environment  `json:"environment"`
}

// Tool is the program that made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

// Input is what was reconstructed. Name is the last element of the path.
type Input struct {
	Kind      string   `json:"kind"` // "sinogram", "dicom", "phantom"
	Name      string   `json:"name"`
	SHA256    string   `json:"sha256,omitempty"`
	Slices    int      `json:"slices"`
	Simulated bool     `json:"simulated"`           // the measurement was made by ctrecon
	Reference string   `json:"reference,omitempty"` // what the metrics compare with; "" = no ground truth
	Notes     []string `json:"notes,omitempty"`     // what was left out, changed or assumed while reading
}

// Geometry is the scan that the methods worked on, the image grid, and where it
// came from. Of a fan beam that was not rebinned, angles are those of the source
// and bins lie on the detector.
type Geometry struct {
	Beam           string    `json:"beam"` // "parallel", or "fan": see Fan.Rebinned
	Views          int       `json:"views"`
	ViewsAvailable int       `json:"viewsAvailable,omitempty"` // in the input, before a subset was taken
	Angles         []float64 `json:"angles"`                   // degrees
	ArcDegrees     float64   `json:"arcDegrees"`
	Bins           int       `json:"bins"`
	BinSizeMM      float64   `json:"binSizeMM"`
	OffsetBins     float64   `json:"offsetBins"`
	OffsetSource   string    `json:"offsetSource,omitempty"` // "given", "sidecar", "estimated"
	OffsetSD       *float64  `json:"offsetSD,omitempty"`     // bins, of an estimated offset
	Fan            *Fan      `json:"fan,omitempty"`
	Width          int       `json:"width"`
	Height         int       `json:"height"`
	PixelXMM       float64   `json:"pixelXMM"`
	PixelYMM       float64   `json:"pixelYMM"`
	MuWater        float64   `json:"muWater"` // 1/mm
}

// Fan is the fan-beam scan that was measured. The methods worked on its data, or,
// rebinned, on parallel views made of all its source positions.
type Fan struct {
	Rebinned         bool    `json:"rebinned"`
	SourceAxisMM     float64 `json:"sourceAxisMM"`
	SourceDetectorMM float64 `json:"sourceDetectorMM"`
	Curved           bool    `json:"curved"` // the detector, about the source
	Views            int     `json:"views"`
	Bins             int     `json:"bins"`
	BinSizeMM        float64 `json:"binSizeMM"`
	ArcDegrees       float64 `json:"arcDegrees"`
}

// direct says whether the methods worked on fan data.
func (g *Geometry) direct() bool { return g.Fan != nil && !g.Fan.Rebinned }

// Noise is the noise of a datum that the methods were told.
type Noise struct {
	SigmaNepers *float64 `json:"sigmaNepers,omitempty"`
	Photons     *float64 `json:"photons,omitempty"` // I0 a bin
	Source      string   `json:"source"`            // "given", "sidecar", "simulated", "estimated", "unknown"
	DeadBins    int      `json:"deadBins,omitempty"`
}

// Model is the bundle of networks that the diffusion methods used.
type Model struct {
	Name        string    `json:"name"`
	Version     string    `json:"version,omitempty"`
	SHA256      string    `json:"sha256,omitempty"`
	Licence     string    `json:"licence,omitempty"`
	Provider    string    `json:"provider,omitempty"` // "cpu", "cuda:0"
	Runtime     string    `json:"runtime,omitempty"`  // name and version
	PixelSizeMM []float64 `json:"pixelSizeMM,omitempty"`
	RangeHU     []float64 `json:"rangeHU,omitempty"`
	Notes       []string  `json:"notes,omitempty"`
}

// Protocol says how the metrics are defined.
type Protocol struct {
	ClipHU    [2]float64 `json:"clipHU"`
	DataRange float64    `json:"dataRange"` // R of PSNR and SSIM, HU
	SSIM      string     `json:"ssim"`
	RMSEMask  string     `json:"rmseMask"`
	Chi2      string     `json:"chi2"`
}

// DefaultProtocol is the protocol of ct/metrics.
func DefaultProtocol() *Protocol {
	return &Protocol{
		ClipHU: [2]float64{-1000, 1000}, DataRange: 2000,
		SSIM:     "Gaussian window 11 x 11, sigma 1.5, K1 0.01, K2 0.03, whole image",
		RMSEMask: "inside the body of the reference",
		Chi2:     "mean of ((A mu - y)/sigma)^2 over measured bins",
	}
}

// Measure describes a value in the Extra map of slices, such as the share of
// truth inside one standard deviation or the part that the data determined.
type Measure struct {
	Name   string `json:"name"` // key in Extra
	Label  string `json:"label"`
	Unit   string `json:"unit,omitempty"`
	Better string `json:"better,omitempty"` // "higher", "lower", "one", "" = neither
	Note   string `json:"note,omitempty"`
}

// Method is one method's results.
type Method struct {
	Name     string    `json:"name"`
	Label    string    `json:"label"`
	Settings []Setting `json:"settings"`
	Maps     []MapInfo `json:"maps,omitempty"`
	Slices   []Slice   `json:"slices"`
	Summary  Summary   `json:"summary"`
	Warnings []string  `json:"warnings"`
}

// Setting is a named value that shaped a result.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MapInfo describes an image that a method gives beside its reconstruction:
// "mean", "sd", "data" (what the data determined), "prior".
type MapInfo struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Unit  string `json:"unit"`
	Note  string `json:"note,omitempty"`
	// Scale says how the map is drawn: "window" like an image, "signed" around
	// zero, "positive" from zero up, "share" from 0 to 1.
	Scale string `json:"scale"`
}

// Slice is one slice by one method.
type Slice struct {
	Index    int                `json:"index"` // from 0, in the input's order
	Label    string             `json:"label"`
	Metrics  Metrics            `json:"metrics"`
	Extra    map[string]float64 `json:"extra,omitempty"` // finite; described in Report.Measures
	HeldOut  []HeldOutView      `json:"heldOut,omitempty"`
	Seconds  float64            `json:"seconds"`
	Warnings []string           `json:"warnings,omitempty"`
}

// Metrics of a slice; nil where there is no reference or no noise level.
type Metrics struct {
	PSNR   *float64 `json:"psnr,omitempty"` // dB
	SSIM   *float64 `json:"ssim,omitempty"`
	RMSEHU *float64 `json:"rmseHU,omitempty"`
	Chi2   *float64 `json:"chi2,omitempty"` // per datum
}

// HeldOutView is a view that was kept from the method and predicted by it. Its
// z-scores are (prediction - datum)/(standard deviation of their difference).
type HeldOutView struct {
	View  int     `json:"view"`
	Angle float64 `json:"angle"` // degrees
	ZMean float64 `json:"zMean"` // expected 0
	ZSD   float64 `json:"zSD"`   // expected 1
	RMS   float64 `json:"rms"`   // root mean square of prediction - datum, nepers
	Bins  int     `json:"bins"`
}

// Summary is the statistics over the slices of a method.
type Summary struct {
	PSNR    *Stat            `json:"psnr,omitempty"`
	SSIM    *Stat            `json:"ssim,omitempty"`
	RMSEHU  *Stat            `json:"rmseHU,omitempty"`
	Chi2    *Stat            `json:"chi2,omitempty"`
	Seconds *Stat            `json:"seconds,omitempty"`
	Extra   map[string]*Stat `json:"extra,omitempty"`
}

// Stat is the mean over n slices. SD is nil for one slice. Worst is the slice
// furthest on the bad side.
type Stat struct {
	Mean       float64  `json:"mean"`
	SD         *float64 `json:"sd,omitempty"`
	N          int      `json:"n"`
	Worst      float64  `json:"worst"`
	WorstSlice int      `json:"worstSlice"` // Slice.Index
}

// Comparison is a method minus the baseline, paired by slice.
type Comparison struct {
	Method   string `json:"method"`
	Baseline string `json:"baseline"`
	PSNR     *Diff  `json:"psnr,omitempty"`
	SSIM     *Diff  `json:"ssim,omitempty"`
	RMSEHU   *Diff  `json:"rmseHU,omitempty"`
	Chi2     *Diff  `json:"chi2,omitempty"`
	Seconds  *Diff  `json:"seconds,omitempty"`
}

// Diff is the statistics of a paired difference. Interval95 is Student's 95 %
// interval of the mean, which takes slices as independent; nil for one slice.
type Diff struct {
	Stat
	Interval95 *[2]float64 `json:"interval95,omitempty"`
}

// Environment is where the job ran.
type Environment struct {
	OS          string  `json:"os"`
	Arch        string  `json:"arch"`
	CPU         string  `json:"cpu,omitempty"`
	Cores       int     `json:"cores"`
	Workers     int     `json:"workers,omitempty"`
	Kernel      string  `json:"kernel,omitempty"` // projector kernel, "avx2" or "go"
	Go          string  `json:"go"`
	GPU         string  `json:"gpu,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"` // the whole job
	PeakMemoryM float64 `json:"peakMemoryMiB,omitempty"`
}
