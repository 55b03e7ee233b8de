//go:build unix && !linux

package node

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttr gives a child a process group of its own, so that signals from a terminal do
// not reach it.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// niceness of a child: receiving objects goes first.
const niceness = 10

func lower(pid int) { unix.Setpriority(unix.PRIO_PROCESS, pid, niceness) }
