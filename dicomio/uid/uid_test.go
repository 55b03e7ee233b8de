package uid

import "testing"

// TestOfUUID: the numbers are those of the UUIDs below, reckoned by Python's uuid.
func TestOfUUID(t *testing.T) {
	count := [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	full := [16]byte{}
	for i := range full {
		full[i] = 0xff
	}
	for _, tt := range []struct {
		b       [16]byte
		version byte
		want    string
	}{
		{count, 4, "2.25.88962710305976587138789898786303743"},    // 00112233-4455-4677-8899-aabbccddeeff
		{full, 8, "2.25.340282366920937934553716840013076889599"}, // ffffffff-ffff-8fff-bfff-ffffffffffff
		{[16]byte{}, 4, "2.25.302240678275694148452352"},          // 00000000-0000-4000-8000-000000000000
	} {
		if got := OfUUID(tt.b, tt.version); got != tt.want {
			t.Errorf("OfUUID(%x, %d) = %s, want %s", tt.b, tt.version, got, tt.want)
		}
	}
	if a, b := Random(), Random(); a == b {
		t.Errorf("%s came twice", a)
	}
}
