package dicomio

import (
	"strconv"

	"ctrecon/dicomio/uid"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"
)

// Code is a coded concept (PS3.3 8.8).
type Code struct{ Value, Scheme, Meaning string }

func (c Code) item() []*dicom.Element { return code(c.Value, c.Scheme, c.Meaning) }

// Units of measurements.
var (
	UnitHU     = Code{"[hnsf'U]", "UCUM", "Hounsfield unit"}
	UnitDB     = Code{"dB", "UCUM", "decibel"}
	UnitNone   = Code{"1", "UCUM", "no units"}
	UnitNeper  = Code{"Np", "UCUM", "neper"}
	UnitViews  = Code{"{views}", "UCUM", "views"}
	UnitPhoton = Code{"{photons}", "UCUM", "photons"}
	UnitSecond = Code{"s", "UCUM", "second"}
)

// Concepts of the measurements that DICOM has no code for; docs/dicom.md lists them.
var (
	ConceptPSNR    = Code{"CTR101", "99CTRECON", "Peak signal-to-noise ratio against the reference"}
	ConceptSSIM    = Code{"CTR102", "99CTRECON", "Structural similarity to the reference"}
	ConceptRMSE    = Code{"CTR103", "99CTRECON", "Root mean square error inside the body"}
	ConceptChi2    = Code{"CTR104", "99CTRECON", "Residual chi-square per datum"}
	ConceptSigma   = Code{"CTR105", "99CTRECON", "Standard deviation of a line integral"}
	ConceptViews   = Code{"CTR106", "99CTRECON", "Number of views"}
	ConceptPhotons = Code{"CTR107", "99CTRECON", "Photons a detector bin without object"}
	ConceptSeconds = Code{"CTR108", "99CTRECON", "Reconstruction time a slice"}
)

// Measurement is a number about a series. Of a mean over slices, SD is their standard
// deviation where there are several.
type Measurement struct {
	Concept Code
	Unit    Code
	Value   float64
	Mean    bool
	SD      *float64
}

// Measured is the measurement group of one series: its images, and how they were made.
type Measured struct {
	Series       *Derived // the series as it was written
	Parameters   string   // of the algorithm
	Measurements []Measurement
}

// WriteMeasurements writes an Imaging Measurement Report (PS3.16 TID 1500) as a
// Comprehensive 3D SR object (PS3.3 A.35.13) in the patient and study of d: a
// measurement group a series (TID 1501) that names its images.
func WriteMeasurements(path string, d Derived, groups []Measured) error {
	b := d.document(comprehensive3D, "SR")
	delete(b.elements, tag.Laterality)
	delete(b.elements, tag.BodyPartExamined)
	b.put(tag.ReferencedPerformedProcedureStepSequence, [][]*dicom.Element{})
	b.put(tag.PerformedProcedureCodeSequence, [][]*dicom.Element{})
	b.put(tag.CompletionFlag, []string{"COMPLETE"})
	b.put(tag.VerificationFlag, []string{"UNVERIFIED"})
	b.put(tag.PreliminaryFlag, []string{"FINAL"})
	b.put(tag.ValueType, []string{"CONTAINER"})
	b.put(tag.ConceptNameCodeSequence, [][]*dicom.Element{code("126000", "DCM", "Imaging Measurement Report")})
	b.put(tag.ContinuityOfContent, []string{"SEPARATE"})
	b.put(tag.ContentTemplateSequence, [][]*dicom.Element{template("1500")})
	b.evidence(groups)
	var all [][]*dicom.Element
	for i, g := range groups {
		all = append(all, g.content(strconv.Itoa(i+1)))
	}
	b.put(tag.ContentSequence, append(b.observer(), container("126010", "Imaging Measurements", all)))
	out, err := b.finish(path, explicitLittle)
	if err != nil {
		return err
	}
	return save(path, out)
}

func template(id string) []*dicom.Element {
	return []*dicom.Element{must(tag.MappingResource, []string{"DCMR"}), must(tag.TemplateIdentifier, []string{id})}
}

// observer says what the report is about and that a program made it (TID 1204, 1002, 1500).
func (b *builder) observer() [][]*dicom.Element {
	device := func(value, meaning, text string) []*dicom.Element {
		return textItem("HAS OBS CONTEXT", value, meaning, text)
	}
	return [][]*dicom.Element{
		codeItem("HAS CONCEPT MOD", Code{"121049", "DCM", "Language of Content Item and Descendants"}, Code{"en", "RFC5646", "English"}),
		codeItem("HAS OBS CONTEXT", Code{"121005", "DCM", "Observer Type"}, Code{"121007", "DCM", "Device"}),
		append(concept("HAS OBS CONTEXT", "UIDREF", "121012", "DCM", "Device Observer UID"), must(tag.UID, []string{uid.Implementation})),
		device("121013", "Device Observer Name", "ctrecon"), device("121014", "Device Observer Manufacturer", "ctrecon project"),
		device("121015", "Device Observer Model Name", "ctrecon "+b.d.Software),
		codeItem("HAS CONCEPT MOD", Code{"121058", "DCM", "Procedure reported"}, Code{"77477000", "SCT", "Computed tomography"}),
	}
}

// evidence lists the images that the content refers to.
func (b *builder) evidence(groups []Measured) {
	var series [][]*dicom.Element
	for _, g := range groups {
		var objects [][]*dicom.Element
		for i := range g.Series.Images {
			objects = append(objects, g.Series.objectItem(i))
		}
		series = append(series, []*dicom.Element{must(tag.SeriesInstanceUID, []string{g.Series.SeriesUID()}), must(tag.ReferencedSOPSequence, objects)})
	}
	b.put(tag.CurrentRequestedProcedureEvidenceSequence, [][]*dicom.Element{{b.elements[tag.StudyInstanceUID], must(tag.ReferencedSeriesSequence, series)}})
}

// objectItem names image i as it was written.
func (d *Derived) objectItem(i int) []*dicom.Element {
	return []*dicom.Element{must(tag.ReferencedSOPClassUID, []string{ctImage}), must(tag.ReferencedSOPInstanceUID, []string{d.instanceUID(i)})}
}

// content is a measurement group (TID 1501).
func (g *Measured) content(number string) []*dicom.Element {
	d := g.Series
	items := [][]*dicom.Element{
		textItem("HAS OBS CONTEXT", "112039", "Tracking Identifier", number+": "+d.Method),
		append(concept("HAS OBS CONTEXT", "UIDREF", "112040", "DCM", "Tracking Unique Identifier"), must(tag.UID, []string{UID("tracking", d.SeriesUID())})),
		textItem("HAS CONCEPT MOD", "111001", "Algorithm Name", "ctrecon "+d.Method),
		textItem("HAS CONCEPT MOD", "111003", "Algorithm Version", d.Software),
		textItem("HAS CONCEPT MOD", "111002", "Algorithm Parameters", g.Parameters),
	}
	for i := range d.Images {
		items = append(items, append(concept("CONTAINS", "IMAGE", "121112", "DCM", "Source of Measurement"), macro(tag.ReferencedSOPSequence, d.objectItem(i)...)))
	}
	for _, m := range g.Measurements {
		items = append(items, m.content()...)
	}
	c := container("125007", "Measurement Group", items)
	return append(c, must(tag.ContentTemplateSequence, [][]*dicom.Element{template("1501")}))
}

// content are the NUM items of a measurement: its value, or mean and spread.
func (m *Measurement) content() [][]*dicom.Element {
	mean, sd := Code{"373098007", "SCT", "Mean"}, Code{"386136009", "SCT", "Standard Deviation"}
	num := func(v float64, derivation *Code) []*dicom.Element {
		n := append(concept("CONTAINS", "NUM", m.Concept.Value, m.Concept.Scheme, m.Concept.Meaning), macro(tag.MeasuredValueSequence,
			must(tag.NumericValue, []string{decimal(v)}), must(tag.FloatingPointValue, []float64{v}),
			must(tag.MeasurementUnitsCodeSequence, [][]*dicom.Element{m.Unit.item()})))
		if derivation != nil {
			n = append(n, must(tag.ContentSequence, [][]*dicom.Element{codeItem("HAS CONCEPT MOD", Code{"121401", "DCM", "Derivation"}, *derivation)}))
		}
		return n
	}
	if !m.Mean {
		return [][]*dicom.Element{num(m.Value, nil)}
	}
	out := [][]*dicom.Element{num(m.Value, &mean)}
	if m.SD != nil {
		out = append(out, num(*m.SD, &sd))
	}
	return out
}

// concept starts a content item.
func concept(relation, kind, value, scheme, meaning string) []*dicom.Element {
	return []*dicom.Element{
		must(tag.RelationshipType, []string{relation}), must(tag.ValueType, []string{kind}),
		must(tag.ConceptNameCodeSequence, [][]*dicom.Element{code(value, scheme, meaning)}),
	}
}

func codeItem(relation string, name, value Code) []*dicom.Element {
	return append(concept(relation, "CODE", name.Value, name.Scheme, name.Meaning), must(tag.ConceptCodeSequence, [][]*dicom.Element{value.item()}))
}

func textItem(relation, value, meaning, text string) []*dicom.Element {
	return append(concept(relation, "TEXT", value, "DCM", meaning), must(tag.TextValue, []string{clean(text, 1024)}))
}

func container(value, meaning string, content [][]*dicom.Element) []*dicom.Element {
	return append(concept("CONTAINS", "CONTAINER", value, "DCM", meaning), must(tag.ContinuityOfContent, []string{"SEPARATE"}), must(tag.ContentSequence, content))
}
