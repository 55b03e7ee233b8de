package ct

import "fmt"

// MuWater is the attenuation of water in 1/mm that is assumed where the input
// does not say another (about 70 keV).
const MuWater = 0.0195

// ToHU turns mu (1/mm) into Hounsfield units: 1000*(mu/muWater-1).
func ToHU(mu, muWater float64) float64 { return 1000 * (mu/muWater - 1) }

// FromHU turns Hounsfield units into mu (1/mm). Values below -1000 HU become
// vacuum: attenuation is never negative.
func FromHU(hu, muWater float64) float64 { return muWater * max(0, 1+hu/1000) }

// ImageToHU writes the Hounsfield units of mu (1/mm) into dst of equal length.
func ImageToHU(dst, mu []float32, muWater float64) {
	if len(dst) != len(mu) {
		panic(fmt.Sprintf("ct: %d values of HU for %d pixels", len(dst), len(mu)))
	}
	for i, v := range mu {
		dst[i] = float32(ToHU(float64(v), muWater))
	}
}

// ImageFromHU writes mu (1/mm, not below 0) of hu into dst of equal length.
func ImageFromHU(dst, hu []float32, muWater float64) {
	if len(dst) != len(hu) {
		panic(fmt.Sprintf("ct: %d pixels for %d values of HU", len(dst), len(hu)))
	}
	for i, v := range hu {
		dst[i] = float32(FromHU(float64(v), muWater))
	}
}
