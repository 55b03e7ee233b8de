//go:build !linux

package dimse

import "net"

// quickACK does nothing: only Linux lets a receiver ask for it.
func quickACK(net.Conn) func() { return func() {} }
