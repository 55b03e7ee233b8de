package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/cmd/ctrecon/internal/node"
	"ctrecon/ct/recon"
	"ctrecon/dicomio/dimse"
)

// settings are the flags of serve, checked.
type settings struct {
	options     node.Options
	dimse, http string
	allow       []dimse.Allowed
	tls         *tls.Config // of the ports, nil: plain
	dimseTLS    *tls.Config
	token       string
	limits      dimse.Limits
	log         *slog.Logger
}

func settingsOf(c *cli.Context) (*settings, error) {
	s := &settings{dimse: c.String("dimse"), http: c.String("http"), log: slog.New(slog.NewJSONHandler(c.App.ErrWriter, nil))}
	s.limits = dimse.Limits{Associations: c.Int("associations"), Drain: c.Duration("drain-time")}
	s.options = node.Options{
		Dir: c.String("data"), AETitle: c.String("aet"), RulesFile: c.String("rules"), Methods: recon.Names(), Watch: c.String("watch"),
		Quiet: c.Duration("quiet-time"), Settle: c.Duration("settle-time"), Longest: c.Duration("longest-time"), Drain: c.Duration("drain-time"),
		JobTimeout: c.Duration("job-timeout"), Retry: c.Duration("retry-time"), Jobs: c.Int("jobs"), Workers: c.Int("workers"), Tries: c.Int("tries"),
		Keep: time.Duration(c.Int("retain-days")) * 24 * time.Hour, Log: s.log,
	}
	if err := dimse.CheckAETitle(c.String("aet")); err != nil {
		return nil, usagef("--aet: %v", err)
	}
	for _, name := range []string{"jobs", "associations", "tries", "quiet-time", "settle-time", "longest-time", "retry-time", "job-timeout", "drain-time"} {
		if v, ok := c.Value(name).(int); ok && v <= 0 || !ok && c.Duration(name) <= 0 {
			return nil, usagef("--%s: it is more than 0", name)
		}
	}
	if c.Int("workers") < 0 || c.Int("retain-days") < 0 {
		return nil, usagef("--workers and --retain-days are not negative")
	}
	if w := c.String("watch"); w != "" {
		if info, err := os.Stat(w); err != nil || !info.IsDir() {
			return nil, inputErr(fmt.Errorf("--watch %s: no such folder", w))
		}
	}
	var err error
	if s.allow, err = allowList(c.String("allow")); err != nil {
		return nil, usagef("--allow: %v", err)
	}
	for name, to := range map[string]*int64{"spool-limit": &s.options.Spool.Limit, "reserve": &s.options.Spool.Reserve} {
		if *to, err = byteSize(c.String(name)); err != nil {
			return nil, usagef("--%s: %v", name, err)
		}
	}
	if err := s.secure(c); err != nil {
		return nil, err
	}
	return s, s.access(c)
}

// secure reads certificates. Destinations may want TLS even where our ports are plain.
func (s *settings) secure(c *cli.Context) error {
	cert, key, ca := c.String("tls-cert"), c.String("tls-key"), c.String("tls-ca")
	if (cert == "") != (key == "") {
		return usagef("--tls-cert and --tls-key go together")
	}
	cfg, err := dimse.LoadTLS(cert, key, ca)
	if err != nil {
		return inputErr(err)
	}
	s.options.TLS = cfg
	if cert == "" {
		return nil
	}
	s.tls, s.dimseTLS = cfg, cfg
	if c.Bool("dimse-plain") {
		s.dimseTLS = nil
	}
	return nil
}

// minToken is how long the secret is at least.
const minToken = 16

// access reads the token, and wants one where others reach the page.
func (s *settings) access(c *cli.Context) error {
	if name := c.String("token-file"); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			return inputErr(fmt.Errorf("--token-file %s: it cannot be read", name))
		}
		if s.token = string(bytes.TrimSpace(b)); len(s.token) < minToken {
			return inputErr(fmt.Errorf("--token-file %s: a token has %d characters or more", name, minToken))
		}
	}
	mutual := s.tls != nil && s.tls.ClientCAs != nil
	if s.http != "" && s.http != "none" && !loopback(s.http) && s.token == "" && !mutual {
		return usagef("--http %s: others can reach this address; --token-file or --tls-cert with --tls-ca is needed", s.http)
	}
	return nil
}

// loopback says whether an address can be reached from this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// allowList reads AET, AET@CIDR or @CIDR, separated by commas.
func allowList(text string) (out []dimse.Allowed, err error) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		title, net, at := strings.Cut(item, "@")
		a := dimse.Allowed{AETitle: title}
		if title != "" {
			if err := dimse.CheckAETitle(title); err != nil {
				return nil, fmt.Errorf("%q: %w", item, err)
			}
		}
		if at {
			if a.Prefix, err = prefix(net); err != nil {
				return nil, fmt.Errorf("%q: AET, AET@CIDR or @CIDR is expected, such as SCANNER1@10.0.0.0/8", item)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// prefix reads a network, or one address.
func prefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Prefix(ip.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// byteSize reads 1000000, 500M, 20G or 2T; K, M, G and T are powers of 1024.
func byteSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	digits, unit := s, int64(1)
	if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
		digits, unit = s[:len(s)-1], int64(1)<<(10*(i+1))
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || v < 0 || v > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size, such as 500M or 20G", s)
	}
	return v * unit, nil
}
