package store

import (
	"strings"
	"time"
)

// Tables. A key of several parts joins them by Key.
const (
	Instances    Table[Instance]    = "instances"    // by SOP instance UID
	Members      Table[Member]      = "members"      // by series, SOP instance UID
	SeriesTable  Table[Series]      = "series"       // by series instance UID
	Waiting      Table[Mark]        = "waiting"      // series with objects that no job has taken
	Associations Table[Association] = "associations" // by id
	Jobs         Table[Job]         = "jobs"         // by id
	OpenJobs     Table[Mark]        = "open jobs"    // by id: queued or running
	Inputs       Table[Input]       = "inputs"       // by job
	Deliveries   Table[Delivery]    = "deliveries"   // by job, destination, SOP instance UID
	Outbox       Table[Mark]        = "outbox"       // by destination, job, SOP instance UID: not settled
	Commitments  Table[Commitment]  = "commitments"  // by AE title, transaction UID
	numbers      Table[int64]       = "numbers"
)

var tables = []string{string(Instances), string(Members), string(SeriesTable), string(Waiting), string(Associations), string(Jobs), string(OpenJobs),
	string(Inputs), string(Deliveries), string(Outbox), string(Commitments), string(numbers)}

// Key joins parts that have no line feed in them.
func Key(parts ...string) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += "\n"
		}
		s += p
	}
	return s
}

// Parts takes a key apart.
func Parts(key string) []string { return strings.Split(key, "\n") }

// Mark says that a key is in a set.
type Mark struct{}

// Instance is an object that was acknowledged.
type Instance struct {
	Class     string    `json:"class"`
	Series    string    `json:"series"`
	Syntax    string    `json:"syntax"`
	Sum       string    `json:"sha256"` // of the data set
	File      string    `json:"file"`   // inside the data folder
	Offset    int64     `json:"offset"` // of the data set in it
	Bytes     int64     `json:"bytes"`
	Arrived   time.Time `json:"arrived"`
	From      string    `json:"from"`                // association
	Conflicts []string  `json:"conflicts,omitempty"` // files of the same UID and other content
}

// Member is what a series keeps of an instance.
type Member struct {
	Image  bool     `json:"image"` // of a CT class
	Height *float64 `json:"height,omitempty"`
}

// Series is what arrived under one series instance UID.
type Series struct {
	UID         string    `json:"uid"`
	Study       string    `json:"study"`
	Modality    string    `json:"modality"`
	Description string    `json:"description"`
	Calling     string    `json:"calling"` // of the first object
	Called      string    `json:"called"`
	Objects     int       `json:"objects"`
	Images      int       `json:"images"`
	Bytes       int64     `json:"bytes"`
	Expected    int       `json:"expected,omitempty"` // ImagesInAcquisition
	Ours        bool      `json:"ours,omitempty"`     // a result of this program
	Duplicates  int       `json:"duplicates,omitempty"`
	Conflicts   int       `json:"conflicts,omitempty"`
	New         int       `json:"new"`           // objects that no job has taken
	First       time.Time `json:"first"`         // arrival of the first of them
	Last        time.Time `json:"last"`          // and of the last
	Released    time.Time `json:"released"`      // end of the association that brought the last, zero while it is open or broken
	Even        string    `json:"even"`          // what the geometric check says; empty when it has not been made
	Whole       bool      `json:"whole"`         // and whether nothing seems to be missing
	Ready       string    `json:"ready"`         // why it starts at once
	Revision    int       `json:"revision"`      // jobs made
	Note        string    `json:"note"`          // why no job was made, or what is odd
	Job         string    `json:"job,omitempty"` // the last one
}

// Association is one that brought objects.
type Association struct {
	Calling string    `json:"calling"`
	Called  string    `json:"called"`
	Address string    `json:"address"`
	Begun   time.Time `json:"begun"`
	Ended   time.Time `json:"ended"`
	Clean   bool      `json:"clean"` // released, not broken
	Objects int       `json:"objects"`
	Bytes   int64     `json:"bytes"`
}

// States of a job.
const (
	Queued     = "queued"
	Running    = "running"
	Done       = "done"
	Failed     = "failed"
	Cancelled  = "cancelled"
	Superseded = "superseded" // a late slice made a newer one before it ran
)

// Job is one reconstruction.
type Job struct {
	ID           string    `json:"id"`
	Series       string    `json:"series,omitempty"`
	Revision     int       `json:"revision"`
	Input        string    `json:"input"` // SHA-256 of what it is made from
	Slices       int       `json:"slices"`
	Rule         string    `json:"rule"`
	Why          string    `json:"why"` // what said that the series is complete
	Args         []string  `json:"args"`
	Destinations []string  `json:"destinations"`
	Priority     int       `json:"priority"`
	State        string    `json:"state"`
	Tries        int       `json:"tries"`
	Interrupted  int       `json:"interrupted,omitempty"` // tries that a stop of the node ended
	Reason       string    `json:"reason,omitempty"`
	Created      time.Time `json:"created"`
	Next         time.Time `json:"next"`
	Started      time.Time `json:"started"`
	Ended        time.Time `json:"ended"`
	Objects      int       `json:"objects"` // of the result
}

// Open says that the job is not settled.
func (j *Job) Open() bool { return j.State == Queued || j.State == Running }

// Input is what a job is made from.
type Input struct {
	Files []InputFile `json:"files"`
	Main  string      `json:"main,omitempty"`  // the file to be named; empty: the folder
	Bytes int64       `json:"bytes,omitempty"` // of files that are this job's alone
}

// InputFile is one file of it.
type InputFile struct {
	Name   string `json:"name"` // in the job's folder
	File   string `json:"file"` // in the data folder
	Sum    string `json:"sha256"`
	Offset int64  `json:"offset"` // where the bytes of Sum begin
}

// States of a delivery, in their order; Failed is another.
const (
	Sent      = "sent"
	Asked     = "commitment asked"
	Committed = "committed"
)

// Delivery is one object on its way to one destination.
type Delivery struct {
	Job         string    `json:"job"`
	Destination string    `json:"destination"`
	Instance    string    `json:"instance"`
	Class       string    `json:"class"`
	File        string    `json:"file"`
	State       string    `json:"state"`
	Tries       int       `json:"tries"`
	Refusals    int       `json:"refusals,omitempty"` // tries at which the peer said no for good
	Created     time.Time `json:"created"`
	Next        time.Time `json:"next"`
	Status      string    `json:"status,omitempty"`
	Transaction string    `json:"transaction,omitempty"`
	Doubt       bool      `json:"doubt,omitempty"` // it may have arrived: its sending had begun, and no answer is known
}

// Commitment is a request of a peer that we keep objects.
type Commitment struct {
	Peer        string      `json:"peer"`
	Transaction string      `json:"transaction"`
	Instances   [][2]string `json:"instances"` // class, instance
	Received    time.Time   `json:"received"`
	Next        time.Time   `json:"next"`
	Tries       int         `json:"tries"`
	State       string      `json:"state"`
	Reason      string      `json:"reason,omitempty"`
}

// Bytes is the size of all objects that were kept.
func Bytes(tx *Tx) (int64, error) {
	v, ok, err := numbers.Get(tx, "bytes")
	if err != nil || !ok {
		return 0, err
	}
	return *v, nil
}

// AddBytes changes it.
func AddBytes(tx *Tx, n int64) error {
	old, err := Bytes(tx)
	if err != nil {
		return err
	}
	return numbers.Put(tx, "bytes", ptr(old+n))
}
