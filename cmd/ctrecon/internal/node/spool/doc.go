// Package spool keeps received objects as files that survive a crash.
//
// An object is written to incoming/ as it arrives. Sealed, it is on disk; kept, it
// has its final name and its folder is on disk too. Only then may it be acknowledged.
// What is found in incoming/ at a start was never acknowledged and is removed.
//
//	incoming/           objects on their way in
//	spool/SERIES/       OBJECT-SHA256.dcm, the objects of a series
//	conflicts/SERIES/   objects whose UID was taken by other content
//	quarantine/         what was not understood, each with its reason
package spool
