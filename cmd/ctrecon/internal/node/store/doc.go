// Package store is the node's truth: instances, series, jobs, deliveries and requests
// of storage commitment, in one file (bbolt). What belongs together changes in one
// transaction, which is on disk when Update returns.
package store
