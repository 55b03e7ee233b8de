// Package node is the DICOM node: it receives objects, finds out when a series is
// complete, makes a job of it by rule, runs the job in a process of its own, and
// delivers the result. All that it knows is in package store; what it does survives a
// kill at any moment.
//
// # The way of a series
//
//	receive.go, contract.go   an object is checked, kept, and committed before it is acknowledged
//	arrive.go                 what a commit writes
//	complete.go               when a series is taken for complete
//	plan.go                   its job, by rule; a late object makes another revision
//	jobs.go, child.go         the job in a process of its own; verdict.go says what its end means
//	publish.go                result and deliveries in one transaction
//	deliver.go, round.go      a courier for each destination
//	commit_user.go            storage commitment that we ask for
//	commit_provider.go        and that we give
//	folders.go                what is put right after a crash
//	retain.go                 what goes after its time
//
// # Order of locks
//
// A stripe of Node.stripes (one SOP instance UID), then a transaction of the store,
// then Node.mu or the lock of the audit file, which wait for no other. Who takes several
// stripes takes all, in their order. Nothing waits for the network or a child while it
// holds one of them.
package node
