package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/dicomio"
	"ctrecon/phantoms"
	"ctrecon/radon/helical"
)

// helixRows and helixNepers are of simulated helical scans: the rows of the detector,
// and the line integral that 16 bits reach to.
const (
	helixRows   = 16
	helixNepers = 16
)

// writeHelix writes a helical scan of the phantom in DICOM-CT-PD.
func writeHelix(c *cli.Context, p *phantoms.Phantom, dir string) error {
	perTurn := 720
	if n := c.Int("angles"); n > 0 {
		perTurn = 2 * n
	}
	half := float64(c.Int("slices")-1) / 2 * c.Float64("spacing")
	plan := helical.Plan{
		Field: p.Field, Element: p.Field / float64(c.Int("size")), Rows: helixRows, PerTurn: perTurn, From: -half, To: half, Mode: c.String("helix"),
	}
	s, err := plan.Scan()
	if err != nil {
		return usagef("--helix: %v", err)
	}
	s.Simulate(p.Solid().Line, c.Float64("noise-sigma"), c.Uint64("seed"))
	w := dicomio.ProjectionWriter{
		Projections: dicomio.Projections{
			UID: dicomio.UID("helix", p.Name, fmt.Sprint(plan, c.Float64("noise-sigma"), c.Uint64("seed"))), Manufacturer: "ctrecon project", Shape: "CYLINDRICAL",
			Rows: s.Rows, Cols: s.Cols, RowSize: s.RowSize, ColSize: s.ColSize, Distance: s.Distance, CenterRow: s.CenterRow, CenterCol: s.CenterCol,
			FocalSpot: plan.Mode, Steps: perTurn, MuWater: p.MuWater,
		},
		Patient: "CTRECON^RESEARCH", Description: "Analytic phantom " + p.Name, Most: helixNepers, Image: s.Data,
		Time: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
	}
	for _, v := range s.Views {
		w.Views = append(w.Views, dicomio.Projection{Beta: v.Beta, Z: v.Z, Radius: v.Radius, DBeta: v.DBeta, DZ: v.DZ, DRadius: v.DRadius})
	}
	return w.Write(dir)
}
