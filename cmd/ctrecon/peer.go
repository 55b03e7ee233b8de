package main

import (
	"crypto/tls"

	"github.com/urfave/cli/v2"

	"ctrecon/dicomio/dimse"
)

const catPeer = "Peer"

// peerFlags are those of every command that talks to an application entity.
func peerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "aet", Usage: "our own application entity `TITLE`", Value: "CTRECON", Category: catPeer},
		&cli.BoolFlag{Name: "tls", Usage: "speak TLS 1.2 or newer", Category: catPeer},
		&cli.StringFlag{Name: "tls-ca", Usage: "PEM `FILE` of the authorities that the peer's certificate must come from (default: the system's)", Category: catPeer},
		&cli.StringFlag{Name: "tls-cert", Usage: "PEM `FILE` of our certificate, for a peer that asks for one", Category: catPeer},
		&cli.StringFlag{Name: "tls-key", Usage: "PEM `FILE` of its key", Category: catPeer},
	}
}

// peerClient is the client for the peer that the first argument names.
func peerClient(c *cli.Context) (*dimse.Client, error) {
	if !c.Args().Present() {
		return nil, usagef("no peer given, AET@host:port; see ctrecon %s --help", c.Command.Name)
	}
	peer, err := dimse.ParsePeer(c.Args().First())
	if err != nil {
		return nil, usagef("%v", err)
	}
	if err := dimse.CheckAETitle(c.String("aet")); err != nil {
		return nil, usagef("--aet: %v", err)
	}
	cfg, err := peerTLS(c)
	return &dimse.Client{AETitle: c.String("aet"), Peer: peer, TLS: cfg}, err
}

// peerTLS is nil without --tls.
func peerTLS(c *cli.Context) (*tls.Config, error) {
	if !c.Bool("tls") {
		for _, n := range []string{"tls-ca", "tls-cert", "tls-key"} {
			if c.IsSet(n) {
				return nil, usagef("--%s needs --tls", n)
			}
		}
		return nil, nil
	}
	cfg, err := dimse.LoadTLS(c.String("tls-cert"), c.String("tls-key"), c.String("tls-ca"))
	return cfg, inputErr(err)
}
