package node

import (
	"errors"
	"fmt"
	"strings"
)

// What a try of a job came to.
const (
	done        = iota
	refused     // the input or the settings: another try would end the same way
	broken      // a crash, the disk, a lack of memory: another try may go better
	interrupted // by a stop of the node: no fault of the job
	cancelled
	verdicts
)

var verdictNames = [verdicts]string{"done", "refused", "broken", "interrupted", "cancelled"}

// ending is the end of a try, with its reason in words.
type ending struct {
	verdict int
	reason  string
}

// Exit codes of ctrecon, as docs/architecture.md lists them.
const (
	exitUsage       = 2
	exitInput       = 3
	exitInterrupted = 130
)

// Why a child was stopped by us.
var (
	errCancelled = errors.New("cancelled")
	errStopping  = errors.New("the node stops")
	errTooLong   = errors.New("took too long")
)

// judgeExit finds what a child's exit means. code is negative when a signal ended it,
// stopped is why we ended it, nil when we did not; said is its last line. A crash of the
// Go runtime has the exit code of wrong usage, but not our name before its words.
func judgeExit(code int, stopped error, said string) ending {
	said, ours := strings.CutPrefix(said, "ctrecon: ")
	if said == "" {
		said = "it said nothing"
	}
	switch {
	case code == 0:
		return ending{}
	case errors.Is(stopped, errCancelled):
		return ending{cancelled, "cancelled by hand"}
	case errors.Is(stopped, errStopping):
		return ending{interrupted, "the node stopped"}
	case stopped != nil:
		return ending{broken, stopped.Error()}
	case code == exitInterrupted:
		return ending{interrupted, "it was interrupted from outside"}
	case (code == exitUsage || code == exitInput) && ours:
		return ending{refused, said}
	case code < 0:
		return ending{broken, "the process was killed or crashed; its last line: " + said}
	}
	return ending{broken, fmt.Sprintf("exit code %d: %s", code, said)}
}
