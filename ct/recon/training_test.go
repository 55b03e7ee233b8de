package recon

import (
	"encoding/json"
	"strings"
	"testing"

	"ctrecon/ct"
	"ctrecon/ldm/models"
)

// TestUnlikeTraining: numbers of views and arcs that the network has not seen are
// named, those that it has are not.
func TestUnlikeTraining(t *testing.T) {
	b := &models.Bundle{}
	if err := json.Unmarshal([]byte(`{"conditioning": {"cond": {"kind": "fbp", "views": [12, 100], "arc_degrees": 180, "tv_from_views": 75}}}`), b); err != nil {
		t.Fatal(err)
	}
	short := ct.Uniform(25, 95, 1)
	for i := range short.Angles {
		short.Angles[i] /= 2
	}
	for _, c := range []struct {
		name string
		geo  ct.Geometry
		want string // of the warning
	}{
		{"as trained", ct.Uniform(25, 95, 1), ""},
		{"views kept from it", ct.Uniform(25, 95, 1).Subset([]int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24}), ""},
		{"few", ct.Uniform(8, 95, 1), "8 views"},
		{"TV will do", ct.Uniform(90, 95, 1), "90 views: from about 75 TV"},
		{"not yet", ct.Uniform(60, 95, 1), ""},
		{"many", ct.Uniform(360, 95, 1), "360 views: the model"},
		{"short arc", short, "an arc of 90 degrees"},
	} {
		got := unlikeTraining(b, c.geo)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
