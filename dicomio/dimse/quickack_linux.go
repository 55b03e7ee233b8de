package dimse

import (
	"net"
	"syscall"
)

// quickACK returns a function that makes the kernel acknowledge what has come
// without delay. Senders that keep Nagle's algorithm on (dcmtk does) wait for
// that after each object: 40 ms otherwise. The kernel forgets the option, so it
// is set again after each read.
func quickACK(c net.Conn) func() {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return func() {}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() {}
	}
	set := func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) }
	return func() { raw.Control(set) }
}
