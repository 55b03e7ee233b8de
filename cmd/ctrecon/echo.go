package main

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/urfave/cli/v2"
)

func echoCommand() *cli.Command {
	return &cli.Command{
		Name: "echo", Usage: "ask a DICOM peer whether it answers (C-ECHO)", ArgsUsage: "AET@host:port",
		Description: examples("ctrecon echo PACS@10.0.0.5:104", "who answers, and how fast"),
		Flags: flagGroups(peerFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "the answer as JSON", Category: catOutput},
		}),
		Action: runEcho,
	}
}

func runEcho(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("%d arguments given, one peer expected", c.NArg())
	}
	client, err := peerClient(c)
	if err != nil {
		return err
	}
	e, err := client.Echo(c.Context)
	if err != nil {
		return outputErr(err)
	}
	if !e.Status.OK() {
		return outputErr(fmt.Errorf("peer %s: C-ECHO answered with %v", client.Peer, e.Status))
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(map[string]any{
			"peer": client.Peer.String(), "status": fmt.Sprintf("%04X", e.Status.Code), "implementation": e.Implementation,
			"max_pdu": e.MaxPDU, "tls": e.TLS, "connect_ms": milliseconds(e.Connect), "echo_ms": milliseconds(e.Time),
		})
	}
	who := e.Implementation
	if who == "" {
		who = "no implementation name"
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s answers (%s): association in %.1f ms, echo in %.1f ms\n", client.Peer, who, milliseconds(e.Connect), milliseconds(e.Time))
	return err
}

func milliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e4) / 10 }
