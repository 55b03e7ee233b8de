package dimse

import (
	"slices"
	"strings"
)

// Transfer syntaxes without compression of pixels.
const (
	ImplicitLittle = "1.2.840.10008.1.2"
	ExplicitLittle = "1.2.840.10008.1.2.1"
	ExplicitBig    = "1.2.840.10008.1.2.2"
	Deflated       = "1.2.840.10008.1.2.1.99"
)

// verificationClass is C-ECHO's.
const verificationClass = "1.2.840.10008.1.1"

// messageSyntaxes are those of messages that are no objects.
var messageSyntaxes = []string{ExplicitLittle, ImplicitLittle}

// storageSyntaxes are those in which objects are taken; they are stored as they come.
var storageSyntaxes = []string{
	ImplicitLittle, ExplicitLittle, Deflated, ExplicitBig,
	"1.2.840.10008.1.2.5",                              // RLE
	"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", // JPEG
	"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", // JPEG lossless
	"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", // JPEG-LS
	"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", // JPEG 2000
	"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", // HTJ2K
}

// isStorage says whether a SOP class stores objects. The standard's storage classes
// stand below 1.2.840.10008.5.1.4.1.1, where only a few services are something
// else, and a few stand elsewhere; a test holds this rule against the list of
// PS3.6. New classes come below the same root, so the rule stays right for longer
// than a table.
func isStorage(class string) bool {
	if rest, ok := strings.CutPrefix(class, storageRoot); ok {
		return isUID(rest) && !slices.Contains(notStorage, rest)
	}
	return slices.Contains(otherStorage, class)
}

const storageRoot = "1.2.840.10008.5.1.4.1.1."

// notStorage are the services below the storage root: queries of protocol
// approvals and inventories.
var notStorage = []string{"200.4", "200.5", "200.6", "201.2", "201.3", "201.4", "201.5", "201.6"}

// otherStorage are the storage classes outside the storage root (PS3.6 table A-1).
var otherStorage = []string{
	"1.2.840.10008.5.1.4.34.7",  // RT Beams Delivery Instruction
	"1.2.840.10008.5.1.4.34.10", // RT Brachy Application Setup Delivery Instruction
	"1.2.840.10008.5.1.4.38.1",  // Hanging Protocol
	"1.2.840.10008.5.1.4.39.1",  // Color Palette
	"1.2.840.10008.5.1.4.43.1",  // Generic Implant Template
	"1.2.840.10008.5.1.4.44.1",  // Implant Assembly Template
	"1.2.840.10008.5.1.4.45.1",  // Implant Template Group
}

// syntaxesFor are the transfer syntaxes that we take for a SOP class; nil when we
// do not take it.
func syntaxesFor(class string) []string {
	switch {
	case class == verificationClass || class == commitmentClass:
		return messageSyntaxes
	case isStorage(class):
		return storageSyntaxes
	}
	return nil
}

// answer decides about a proposed presentation context: the sender's first
// transfer syntax that we take.
func answer(p presentation) presentation {
	out := presentation{id: p.id, abstract: p.abstract, transfer: []string{ImplicitLittle}} // not significant unless accepted
	ours := syntaxesFor(p.abstract)
	if ours == nil {
		out.result = contextNoAbstract
		return out
	}
	i := slices.IndexFunc(p.transfer, func(t string) bool { return slices.Contains(ours, t) })
	if i < 0 {
		out.result = contextNoTransfer
		return out
	}
	out.transfer = []string{p.transfer[i]}
	return out
}
