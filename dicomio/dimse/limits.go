package dimse

import "time"

// Limits bound what a peer can make us spend. A zero value means the default.
type Limits struct {
	Associations int   // at the same time, of a Server (64)
	PDU          int   // bytes of a P-DATA PDU that we announce and send (262144)
	ObjectBytes  int64 // of one data set (16 GiB)

	ARTIM time.Duration // from connection to A-ASSOCIATE, and for the end after a release or rejection (30 s)
	DIMSE time.Duration // for a PDU, a response or a write inside a message (60 s)
	Idle  time.Duration // between messages (120 s)
	Drain time.Duration // for associations in progress once Serve's context has ended (30 s)
}

func (l Limits) withDefaults() Limits {
	set(&l.Associations, 64)
	set(&l.PDU, 262144)
	set(&l.ObjectBytes, 16<<30)
	set(&l.ARTIM, 30*time.Second)
	set(&l.DIMSE, 60*time.Second)
	set(&l.Idle, 120*time.Second)
	set(&l.Drain, 30*time.Second)
	return l
}

func set[T int | int64 | time.Duration](v *T, standard T) {
	if *v <= 0 {
		*v = standard
	}
}
