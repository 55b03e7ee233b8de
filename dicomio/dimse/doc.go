// Package dimse is the network side of DICOM: the upper layer of PS3.8 and, on
// it, C-ECHO, C-STORE and storage commitment (N-ACTION, N-EVENT-REPORT), each
// as user (SCU, Client) and as provider (SCP, Server).
//
// # Words
//
// A peer is an application entity, written AET@host:port. An association is one
// TCP connection on which both sides have agreed about presentation contexts:
// pairs of a SOP class and a transfer syntax. A message is a command set and,
// mostly, a data set; both travel as fragments (PDVs) in PDUs.
//
// # Promises
//
// Objects pass through as they are, bit by bit, and are streamed: neither side
// holds more than a few PDUs of one. Nothing that a peer sends makes the package
// allocate more than the bytes that have come, wait without end or panic; see
// Limits. No text of a data set, and so nothing about a patient, is logged or
// put in an error.
package dimse
