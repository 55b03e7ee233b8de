package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ctrecon/cmd/ctrecon/internal/node/store"
)

// grace is between asking a child to end and ending it.
const grace = 5 * time.Second

// child runs the job's command in a process of its own. own ends when the job is
// cancelled; once ctx has ended, the child has Options.Drain to come to its end.
func (n *Node) child(ctx, own context.Context, j *store.Job, arg, out string) ending {
	lines := &lastLine{tell: func(s string) { n.setProgress(j.ID, s) }}
	cmd := exec.Command(n.o.Program, n.command(j, arg, out)...)
	cmd.Env = childEnv(os.Environ())
	cmd.Stderr = lines
	cmd.SysProcAttr = childAttr()
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return ending{broken, "the job's process could not be started: " + err.Error()}
	}
	lower(cmd.Process.Pid)
	over, why := make(chan struct{}), make(chan error, 1)
	go func() { why <- n.guard(ctx, own, cmd.Process.Pid, over) }()
	err := cmd.Wait()
	close(over)
	stopped := <-why
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ending{broken, "the job's process: " + err.Error()}
	}
	return judgeExit(cmd.ProcessState.ExitCode(), stopped, lines.verdict())
}

// command are the arguments of a job's process. Each try of a job has the same ones, but
// for places, and so the same result. The time of the job stands in its objects, and so
// it also names them: no two objects that differ have one UID.
func (n *Node) command(j *store.Job, arg, out string) []string {
	made := j.Created.Format(time.RFC3339)
	a := []string{"--out", out, "--input-id", j.Input + " " + made, "--time", made}
	if n.o.Workers > 0 {
		a = append(a, "--workers", strconv.Itoa(n.o.Workers))
	}
	return append(append(a, j.Args...), arg)
}

// ServeEnv begins the names of variables that set flags of serve, the token among them.
const ServeEnv = "CTRECON_SERVE_"

// childEnv is the environment without what is the node's alone.
func childEnv(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, ServeEnv) {
			out = append(out, e)
		}
	}
	return out
}

// guard ends a child that is cancelled, takes too long, or runs on when the node stops,
// and says why. It returns when over is closed.
func (n *Node) guard(ctx, own context.Context, pid int, over <-chan struct{}) error {
	limit := time.NewTimer(n.o.JobTimeout)
	defer limit.Stop()
	var drained <-chan time.Time
	stopping := ctx.Done()
	for {
		select {
		case <-over:
			return nil
		case <-stopping:
			stopping, drained = nil, time.After(n.o.Drain)
		case <-drained:
			return n.end(pid, errStopping, over)
		case <-own.Done():
			return n.end(pid, errCancelled, over)
		case <-limit.C:
			return n.end(pid, fmt.Errorf("%w: %v is the limit of a job", errTooLong, n.o.JobTimeout), over)
		}
	}
}

// end asks the child's group to end, and makes it.
func (n *Node) end(pid int, why error, over <-chan struct{}) error {
	syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case <-over:
	case <-time.After(grace):
		syscall.Kill(-pid, syscall.SIGKILL)
		<-over
	}
	return why
}

// lastLine keeps the last line of what is written to it.
type lastLine struct {
	part  []byte
	last  string
	crash string // the first line of a crash
	tell  func(string)
}

// crashes begin the line with which the Go runtime begins to tell of a crash; what follows
// are stacks.
var crashes = []string{"panic: ", "fatal error: ", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "ctrecon: a bug of ours: "}

// verdict is the line that says why the process ended.
func (l *lastLine) verdict() string {
	if l.crash != "" {
		return l.crash
	}
	return l.last
}

// longestLine bounds what is kept of a line.
const longestLine = 500

func (l *lastLine) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		l.part = append(l.part, line[:min(len(line), longestLine-len(l.part))]...)
		if rest = after; whole {
			if s := strings.TrimSpace(string(l.part)); s != "" {
				l.last = s
				l.tell(s)
				if l.crash == "" && slices.ContainsFunc(crashes, func(c string) bool { return strings.HasPrefix(s, c) }) {
					l.crash = s
				}
			}
			l.part = l.part[:0]
		}
	}
	return len(p), nil
}
