package dicomio

import (
	"crypto/sha256"
	"strings"

	"ctrecon/dicomio/uid"
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
	return uid.OfUUID([16]byte(h.Sum(nil)), 8) // version 8: custom
}

// isUID says whether a text is a UID (PS3.5 9.1): numbers without leading zeros,
// separated by dots, up to 64 characters.
func isUID(s string) bool {
	if len(s) > 64 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" || part[0] == '0' && len(part) > 1 {
			return false
		}
	}
	return true
}

// lawful is a UID as it is, and a new one in place of a text that is none: always the
// same one, so that what shared the text still belongs together. An anonymiser that
// writes hashes is the usual reason.
func lawful(s string) string {
	if s == "" || isUID(s) {
		return s
	}
	return UID("in place of", s)
}
