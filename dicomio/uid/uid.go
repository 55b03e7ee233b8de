// Package uid has the DICOM unique identifiers that this program makes.
package uid

import (
	"crypto/rand"
	"math/big"
)

// Implementation and ImplementationVersion name this program in the meta
// information of its files (PS3.10 7.1) and in its associations (PS3.7 D.3.3.2).
const (
	Implementation        = "2.25.302043790172249692526321623266752743501"
	ImplementationVersion = "CTRECON_0_1"
)

// OfUUID is the UID 2.25.<128-bit number> of a UUID (PS3.5 B.2) that consists of b
// and the bits of its version, 0 to 15, and variant (RFC 9562).
func OfUUID(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return "2.25." + new(big.Int).SetBytes(b[:]).String()
}

// Random is a new UID, of a random UUID.
func Random() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return OfUUID(b, 4)
}
