package dicomio

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyashkumar/dicom"
)

// study writes several series of one job, as the command does: two methods and the
// spread of the second.
func study(t *testing.T, source *Series, template *dicom.Dataset) string {
	t.Helper()
	root := t.TempDir()
	for i, s := range []struct {
		name, kernel string
		sd           bool
	}{{"FBP 25v", "RAMP", false}, {"TV 25v", "", false}, {"TV 25v SD", "", true}} {
		d := derived(3)
		d.Method, d.Kernel, d.SD, d.Number, d.Config = s.name, s.kernel, s.sd, i+1, s.name
		d.Template = template
		if source != nil {
			d.Images = min(d.Images, len(source.Slices))
			d.Source, d.Subject, d.Grid = source, "", source.Grid
		}
		if _, err := WriteSeries(filepath.Join(root, strings.ReplaceAll(s.name, " ", "-")), d); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestStudyValid: dciodvfy finds no error in any file of a study, dcentvfy none between
// its files and those of the source.
func TestStudyValid(t *testing.T) {
	for _, tool := range []string{"dciodvfy", "dcentvfy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (package dicom3tools): studies are not validated", tool)
		}
	}
	media := "testdata/media"
	classic, err := ReadSeries(media, 1)
	if err != nil {
		t.Fatal(err)
	}
	enhanced, err := ReadSeries("testdata/enhanced/enhanced.dcm", 1)
	if err != nil {
		t.Fatal(err)
	}
	template, err := ReadHeader(filepath.Join(media, "CT", "IM1"))
	if err != nil {
		t.Fatal(err)
	}
	ascii := folderOf(t, stack(3, 2.5, func(i int, s *slab) { s.patient, s.acquisition = "Adams^John", 1 })...)
	plain, err := ReadSeries(ascii, 1)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		source   *Series
		template *dicom.Dataset
		beside   string // files of the source, in ASCII: dcentvfy compares names byte by byte
	}{
		{"of a series", plain[0], nil, ascii + "/*"},
		{"of a series in Latin 1", classic[0], nil, ""},
		{"of frames", enhanced[0], nil, ""},
		{"of a sinogram", nil, nil, ""},
		{"of a sinogram with a template", nil, template, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := study(t, tt.source, tt.template)
			more, _ := filepath.Glob(tt.beside)
			checkStudy(t, root, more)
		})
	}
}

// checkStudy asks both validators about all series below root.
func checkStudy(t *testing.T, root string, more []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*", "*.dcm"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	dirs, _ := filepath.Glob(filepath.Join(root, "*"))
	for _, d := range dirs {
		checkValid(t, d)
	}
	out, err := exec.Command("dcentvfy", append(files, more...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error") {
		t.Errorf("dcentvfy: %v\n%s", err, out)
	}
}

// TestRealStudiesValid is the same for studies made of measured series.
func TestRealStudiesValid(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join(ctdata(t), "*.zip"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("%d archives (%v)", len(archives), err)
	}
	for _, tool := range []string{"dciodvfy", "dcentvfy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (package dicom3tools): studies are not validated", tool)
		}
	}
	for _, a := range archives {
		all, err := ReadSeries(a, 2)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		plain := filepath.Join(t.TempDir(), "source.dcm")
		firstSlice(t, a, plain)
		checkStudy(t, study(t, all[0], nil), []string{plain})
	}
}
