package main

import (
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/cmd/ctrecon/internal/node"
)

const (
	catServe    = "Node"
	catComplete = "When a series is complete"
	catAccess   = "Access"
	catLimits   = "Limits"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "the DICOM node: receive series, reconstruct them by rule, deliver the results",
		Description: examples("ctrecon serve --data node/", "take CT series on 127.0.0.1:11112, reconstruct each from 25 views, show the results on http://127.0.0.1:8042",
			"ctrecon serve --data node/ --rules rules.toml --dimse 0.0.0.0:11112 --allow SCANNER1@10.0.0.0/8", "by rules, from one scanner",
			"ctrecon serve --check rules.toml --dry-run study/", "which rule fits the series in a folder, and what would be run") + "\n" +
			"Every flag may also stand in the environment (" + node.ServeEnv + "AET for --aet) or in the file of --config. SIGHUP reads the rules again, SIGTERM ends the node in good order. " + researchUse,
		Flags:  serveFlags(),
		Action: runServe,
	}
}

// serveFlags are the node's flags; each may also be set by the environment.
func serveFlags() []cli.Flag {
	return flagGroups(
		[]cli.Flag{
			serveString("data", "node", "`FOLDER` that holds all that the node knows", catServe),
			serveString("aet", "CTRECON", "our application entity `TITLE`", catServe),
			serveString("dimse", "127.0.0.1:11112", "`ADDRESS` on which DICOM peers are answered", catServe),
			serveString("http", "127.0.0.1:8042", "`ADDRESS` of the page and the API; none: no page", catServe),
			serveString("rules", "", "TOML `FILE` that says what is made of a series and where it goes (default: 25 views of every CT series, results stay here)", catServe),
			serveString("watch", "", "`FOLDER` whose DICOM and sinogram files are taken, and removed there", catServe),
			serveInt("jobs", 1, "`N` jobs at the same time", catServe),
			serveInt("workers", 0, "slices at a time of a job (default: one a core)", catServe),
		},
		[]cli.Flag{
			serveDuration("quiet-time", 30*time.Second, "without another object", catComplete),
			serveDuration("settle-time", 3*time.Second, "after the sender's association ended, when no slice seems to be missing", catComplete),
			serveDuration("longest-time", 30*time.Minute, "since the first object, whatever happens", catComplete),
		},
		accessFlags(), limitFlags(),
		[]cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "TOML `FILE` with flags by their names", EnvVars: []string{serveEnv("config")}, Category: catServe},
			&cli.BoolFlag{Name: "print-config", Usage: "print the settings that hold, as a file for --config, and end", Category: catServe},
			&cli.StringFlag{Name: "check", Usage: "read the rules in `FILE`, say what is wrong with them, and end", Category: catServe},
			&cli.StringFlag{Name: "dry-run", Usage: "with --check: which rule fits the series in `FOLDER`, and what would be run", Category: catServe},
			&cli.StringFlag{Name: "calling", Usage: "with --dry-run: the sender's application entity `TITLE`", Category: catServe},
		})
}

func accessFlags() []cli.Flag {
	return []cli.Flag{
		serveString("allow", "", "comma-separated `LIST` of who may send: AET, AET@CIDR or @CIDR (default: everybody who reaches the port)", catAccess),
		serveString("tls-cert", "", "PEM `FILE` of our certificate: both ports speak TLS, and destinations that want it", catAccess),
		serveString("tls-key", "", "PEM `FILE` of its key", catAccess),
		serveString("tls-ca", "", "PEM `FILE` of the authorities that certificates of others must come from; clients need one then", catAccess),
		&cli.BoolFlag{Name: "dimse-plain", Usage: "no TLS for DICOM peers", EnvVars: []string{serveEnv("dimse-plain")}, Category: catAccess},
		serveString("token-file", "", "`FILE` with the secret that the page and the API ask for; needed when --http is not on loopback, unless --tls-ca is given", catAccess),
	}
}

func limitFlags() []cli.Flag {
	return []cli.Flag{
		serveInt("retain-days", 0, "remove results and received objects after `N` days, when all of a result is delivered (default: never)", catLimits),
		serveString("spool-limit", "", "`SIZE` of all received objects, such as 500G (default: the disk)", catLimits),
		serveString("reserve", "1G", "`SIZE` of the disk that stays free", catLimits),
		serveInt("associations", 64, "`N` associations at the same time", catLimits),
		serveInt("tries", 4, "`N` tries of a job, or of what a destination refuses", catLimits),
		serveDuration("retry-time", 5*time.Second, "before the second try of anything; doubles with each", catLimits),
		serveDuration("job-timeout", 12*time.Hour, "of a job", catLimits),
		serveDuration("drain-time", 30*time.Second, "for what is in progress when the node ends", catLimits),
	}
}

// serveEnv is the name of the variable that sets a flag.
func serveEnv(flag string) string {
	return node.ServeEnv + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func serveString(name, value, usage, category string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Usage: usage, Category: category, EnvVars: []string{serveEnv(name)}}
}

func serveInt(name string, value int, usage, category string) cli.Flag {
	return &cli.IntFlag{Name: name, Value: value, Usage: usage, Category: category, EnvVars: []string{serveEnv(name)}}
}

func serveDuration(name string, value time.Duration, usage, category string) cli.Flag {
	return &cli.DurationFlag{Name: name, Value: value, Usage: usage, Category: category, EnvVars: []string{serveEnv(name)}}
}

func runServe(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("serve takes no arguments, got %q; a folder of data is named by --data", c.Args().Slice())
	}
	if err := readConfig(c); err != nil {
		return err
	}
	switch {
	case c.IsSet("check"):
		return checkRules(c)
	case c.IsSet("dry-run") || c.IsSet("calling"):
		return usagef("--dry-run and --calling need --check")
	case c.Bool("print-config"):
		return printConfig(c)
	}
	s, err := settingsOf(c)
	if err != nil {
		return err
	}
	if s.options.Program, err = os.Executable(); err != nil {
		return err
	}
	return s.serve(c.Context)
}
