package dicomio

import (
	"crypto/sha256"
	"math/big"
)

// uidSpace separates our names from everybody else's.
const uidSpace = "ctrecon derived objects 1\x00"

// UID makes a UID from a list of names: the same names give the same UID, on
// every machine. It has the form 2.25.<128-bit number> (PS3.5 B.2) with the
// version bits of a name-based UUID.
func UID(names ...string) string {
	h := sha256.New()
	h.Write([]byte(uidSpace))
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	b := h.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x80 // version 8: custom
	b[8] = b[8]&0x3f | 0x80
	return "2.25." + new(big.Int).SetBytes(b).String()
}

// implementationClass names this program in the meta information of its files.
const implementationClass = "2.25.302043790172249692526321623266752743501"
