package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"ctrecon/dicomio/dimse"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name: "send", Usage: "send DICOM files to a peer as they are (C-STORE)", ArgsUsage: "AET@host:port FILE|FOLDER...",
		Description: examples("ctrecon send PACS@10.0.0.5:104 study-ctrecon/", "every DICOM file in the folder",
			"ctrecon send --commit --listen 0.0.0.0:11112 PACS@10.0.0.5:104 study-ctrecon/", "and wait until the peer has confirmed that it keeps them") + "\n" + researchUse,
		Flags: flagGroups(peerFlags(), []cli.Flag{
			&cli.IntFlag{Name: "retry", Usage: "try `N` times again what failed for now: no connection, lost association, peer out of resources", Category: catPeer},
			&cli.BoolFlag{Name: "commit", Usage: "ask the peer to commit to keep the objects, and wait for its report", Category: catPeer},
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` (host:port) where the peer's report on --commit arrives, when it does not come on our own association", Category: catPeer},
			&cli.DurationFlag{Name: "commit-wait", Usage: "how long to wait for the report", Value: time.Minute, Category: catPeer},
			&cli.BoolFlag{Name: "json", Usage: "the status of every object as JSON", Category: catOutput},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress, only errors", Category: catOutput},
		}),
		Action: runSend,
	}
}

// sending is one run of ctrecon send.
type sending struct {
	c       *cli.Context
	client  *dimse.Client
	objects []dimse.Object
	results []sent // beside objects
	bar     *meter
	start   time.Time
}

// sent is what became of an object.
type sent struct {
	File     string `json:"file"`
	Class    string `json:"sop_class"`
	Instance string `json:"sop_instance"`
	Status   string `json:"status,omitempty"` // hexadecimal; empty: there was none
	Comment  string `json:"comment,omitempty"`
	Error    string `json:"error,omitempty"`
	Stored   bool   `json:"stored"`

	again bool // it may go better next time
}

func runSend(c *cli.Context) error {
	client, err := peerClient(c)
	if err != nil {
		return err
	}
	if c.IsSet("listen") && !c.Bool("commit") {
		return usagef("--listen needs --commit")
	}
	objects, skipped, err := sendable(c.Args().Tail())
	if err != nil {
		return err
	}
	s := &sending{c: c, client: client, objects: objects, start: time.Now()}
	s.bar = newMeter(c.App.ErrWriter, "sending", len(objects), c.Bool("quiet"))
	for _, o := range objects {
		s.results = append(s.results, sent{File: o.Path, Class: o.SOPClass, Instance: o.SOPInstance, Error: notSent, again: true})
	}
	err = s.sendAll(c.Context)
	s.bar.end()
	if c.Context.Err() != nil {
		err = &coded{exitInterrupted, fmt.Errorf("interrupted: %d of %d objects were stored", s.count(), len(objects))}
	}
	var commit *committed
	if err == nil && c.Bool("commit") {
		commit, err = s.commit(c.Context)
	}
	if e := s.print(commit, skipped, err); err == nil {
		err = e
	}
	return outputErr(err)
}

// sendable finds the objects. In a folder, what is no DICOM object is passed over
// and counted.
func sendable(paths []string) (objects []dimse.Object, skipped int, err error) {
	if len(paths) == 0 {
		return nil, 0, usagef("nothing to send: no file or folder given")
	}
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			o, err := dimse.ReadObject(path)
			switch {
			case err == nil && o.SOPClass != dicomDirectory:
				objects = append(objects, o)
			case path == p && err != nil:
				return err
			default:
				skipped++
			}
			return nil
		})
		if err != nil {
			return nil, 0, inputErr(err)
		}
	}
	if len(objects) == 0 {
		return nil, 0, inputErr(fmt.Errorf("no DICOM object among %d files", skipped))
	}
	return objects, skipped, nil
}

// dicomDirectory is the class of a DICOMDIR, which is no object to send.
const dicomDirectory = "1.2.840.10008.1.3.10"

// sendAll sends, and again what may go better. The error says what is missing.
func (s *sending) sendAll(ctx context.Context) error {
	var err error
	for try := 0; ; try++ {
		if err = s.associate(ctx); err == nil && s.count() < len(s.results) {
			err = s.missing()
		}
		pending := slices.ContainsFunc(s.results, func(r sent) bool { return r.again })
		if err == nil || !pending || try >= s.c.Int("retry") || ctx.Err() != nil {
			return err
		}
		pause := min(time.Second<<min(try, 5), 30*time.Second)
		if !s.c.Bool("quiet") {
			fmt.Fprintf(s.c.App.ErrWriter, "%v; again in %v\n", err, pause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// associate sends what is to be sent on one association.
func (s *sending) associate(ctx context.Context) error {
	var todo []int
	var objects []dimse.Object
	for i, r := range s.results {
		if r.again {
			todo, objects = append(todo, i), append(objects, s.objects[i])
		}
	}
	a, err := s.client.Open(ctx, objects)
	if err != nil {
		for _, i := range todo {
			s.results[i].Error, s.results[i].again = err.Error(), mayPass(err)
		}
		return err
	}
	for _, i := range todo {
		if err := s.store(ctx, a, i); err != nil {
			return fmt.Errorf("peer %s: %w; %d of %d objects were stored", s.client.Peer, err, s.count(), len(s.results))
		}
	}
	a.Release(ctx) // every object has its status: nothing is lost when this fails
	return nil
}

// store sends object i. The error says that the association is lost.
func (s *sending) store(ctx context.Context, a *dimse.Association, i int) error {
	r := &s.results[i]
	status, err := a.Store(ctx, s.objects[i])
	if err != nil {
		r.Error, r.again = err.Error(), a.Lost()
		if a.Lost() {
			return err
		}
		return nil
	}
	r.Error, r.Status, r.Comment = "", fmt.Sprintf("%04X", status.Code), status.Comment
	r.Stored, r.again = status.OK(), status.Transient()
	if !r.Stored {
		r.Error = status.String()
	}
	s.bar.step(filepath.Base(r.File))
	return nil
}

// mayPass says whether an association may be had later.
func mayPass(err error) bool {
	var no *dimse.NotAccepted
	var rejected *dimse.Rejected
	return !errors.As(err, &no) && (!errors.As(err, &rejected) || rejected.Transient())
}

func (s *sending) count() int {
	n := 0
	for _, r := range s.results {
		if r.Stored {
			n++
		}
	}
	return n
}

// missing is the error for objects that the peer does not have.
func (s *sending) missing() error {
	i := slices.IndexFunc(s.results, func(r sent) bool { return !r.Stored })
	return fmt.Errorf("peer %s: %d of %d objects were not stored; the first, %s: %s", s.client.Peer, len(s.results)-s.count(), len(s.results), s.results[i].File, s.results[i].Error)
}

// notSent is the error of an object whose turn has not come.
const notSent = "not sent"

// listed are the objects that a person is told about one by one; --json has all.
const listed = 20

// list names the objects that were not stored without more ado. Of those that share
// the end of all, only that is told.
func (s *sending) list(w io.Writer, end error) {
	n := 0
	for _, r := range s.results {
		if r.Status == "0000" || end != nil && r.Error == end.Error() || r.Error == notSent {
			continue
		}
		if n++; n > listed {
			continue
		}
		if r.Stored {
			fmt.Fprintf(w, "%s: stored with warning %s %s\n", r.File, r.Status, r.Comment)
		} else {
			fmt.Fprintf(w, "%s: not stored: %s\n", r.File, r.Error)
		}
	}
	if n > listed {
		fmt.Fprintf(w, "... and %d more\n", n-listed)
	}
}

// print tells what became of the objects; end is the error that the command ends with.
func (s *sending) print(commit *committed, skipped int, end error) error {
	took := math.Round(time.Since(s.start).Seconds()*100) / 100
	w := s.c.App.Writer
	if s.c.Bool("json") {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{
			"peer": s.client.Peer.String(), "stored": s.count(), "failed": len(s.results) - s.count(), "skipped": skipped,
			"seconds": took, "objects": s.results, "commitment": commit,
		})
	}
	s.list(w, end)
	text := fmt.Sprintf("%s: %d of %d objects stored in %.1f s", s.client.Peer, s.count(), len(s.results), took)
	if skipped > 0 {
		text += fmt.Sprintf("; %d files in the folders are no DICOM objects", skipped)
	}
	if commit != nil {
		text += fmt.Sprintf("; the peer keeps %d", commit.Committed)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
