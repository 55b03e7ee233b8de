// Package node is the DICOM node: it receives objects, finds out when a series is
// complete, makes a job of it by rule, runs the job in a process of its own, and
// delivers the result. All that it knows is in package store; what it does survives a
// kill at any moment.
//
// # Order of locks
//
// A stripe of Node.stripes (one SOP instance UID), then a transaction of the store,
// then Node.mu. Nothing waits for the network or a child while it holds one of them.
package node
