package dimse

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Peer is an application entity, written AET@host:port.
type Peer struct {
	AETitle string
	Host    string
	Port    int
}

// ParsePeer reads AET@host:port; an IPv6 address stands in brackets.
func ParsePeer(s string) (Peer, error) {
	title, addr, ok := strings.Cut(s, "@")
	if !ok {
		return Peer{}, fmt.Errorf("peer %q: write it AET@host:port", s)
	}
	if err := CheckAETitle(title); err != nil {
		return Peer{}, fmt.Errorf("peer %q: %w", s, err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return Peer{}, fmt.Errorf("peer %q: write it AET@host:port", s)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return Peer{}, fmt.Errorf("peer %q: port %q is not a number from 1 to 65535", s, port)
	}
	return Peer{AETitle: title, Host: host, Port: n}, nil
}

// String is AET@host:port.
func (p Peer) String() string { return p.AETitle + "@" + p.Addr() }

// Addr is host:port, as net.Dial wants it.
func (p Peer) Addr() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// CheckAETitle says what is wrong with an application entity title: it has 1 to
// 16 printable ASCII characters, no backslash, and does not begin or end with a space.
func CheckAETitle(s string) error {
	if s == "" || len(s) > 16 {
		return fmt.Errorf("AE title %q: has %d characters (1 to 16 are possible)", s, len(s))
	}
	if strings.TrimSpace(s) != s {
		return fmt.Errorf("AE title %q: begins or ends with a space", s)
	}
	for _, r := range s {
		if r < ' ' || r > '~' || r == '\\' {
			return fmt.Errorf("AE title %q: %q is not possible in it", s, r)
		}
	}
	return nil
}
