package node

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ctrecon/cmd/ctrecon/internal/node/rules"
	"ctrecon/cmd/ctrecon/internal/node/spool"
	"ctrecon/cmd/ctrecon/internal/node/store"
)

// uploadDir holds sinogram files, a folder a job.
const uploadDir = "uploads"

// sinogramRule is the name of the rule that uploaded sinograms take; without it they
// get the default methods with all their views, and results stay on the node.
const sinogramRule = "sinogram"

// maxSidecar bounds the JSON file beside a sinogram.
const maxSidecar = 64 << 20

// part is a file of an upload on its way in.
type part struct {
	name string // sinogram.npy or sinogram.npy.json: names of senders are not kept
	in   *spool.Incoming
}

// UploadSinogram makes a job of a sinogram file, or of a ZIP with the file and its sidecar
// (<file>.json). The same content gives the same job.
func (n *Node) UploadSinogram(ctx context.Context, name string, r io.Reader) (job string, err error) {
	in, err := n.receive(&contextReader{ctx, r})
	if err != nil {
		return "", err
	}
	defer in.Discard()
	parts := []part{{neutral(name), in}}
	if strings.EqualFold(filepath.Ext(name), ".zip") {
		if parts, err = n.unpack(in); err != nil {
			return "", err
		}
	}
	return n.uploaded(parts)
}

// receive writes an upload to the disk.
func (n *Node) receive(r io.Reader) (*spool.Incoming, error) {
	in, err := n.spool.Begin(nil)
	if err != nil {
		return nil, errors.New(n.noRoom(err).String())
	}
	_, err = io.Copy(in, r)
	if err == nil {
		err = in.Seal()
	}
	if in.Err() != nil {
		err = errors.New(n.noRoom(in.Err()).String())
	}
	if err != nil {
		in.Discard()
		return nil, err
	}
	return in, nil
}

var extension = regexp.MustCompile(`^\.[a-z0-9]{1,8}$`)

// neutral is a name that only keeps the kind of a file.
func neutral(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	if !extension.MatchString(ext) {
		ext = ""
	}
	return "sinogram" + ext
}

// unpack takes a sinogram and its sidecar out of a ZIP.
func (n *Node) unpack(in *spool.Incoming) (parts []part, err error) {
	defer func() {
		if err != nil {
			discard(parts)
			parts = nil
		}
	}()
	z, err := zip.OpenReader(in.Path())
	if err != nil {
		return nil, errors.New("the upload is no ZIP file")
	}
	defer z.Close()
	main, sidecar, err := pair(z.File)
	if err != nil {
		return nil, err
	}
	for _, f := range []*zip.File{main, sidecar} {
		if f == nil {
			continue
		}
		name := neutral(main.Name)
		limit := int64(1) << 62
		if f == sidecar {
			name, limit = name+".json", maxSidecar
		}
		r, err := f.Open()
		if err != nil {
			return parts, fmt.Errorf("ZIP file: %w", err)
		}
		p, err := n.receive(io.LimitReader(r, limit))
		r.Close()
		if err != nil {
			return parts, fmt.Errorf("ZIP file: %w", err)
		}
		parts = append(parts, part{name, p})
	}
	return parts, nil
}

// pair finds the two files of a ZIP.
func pair(all []*zip.File) (main, sidecar *zip.File, err error) {
	files := slices.DeleteFunc(slices.Clone(all), func(f *zip.File) bool { return strings.HasSuffix(f.Name, "/") })
	slices.SortFunc(files, func(a, b *zip.File) int { return len(a.Name) - len(b.Name) })
	switch {
	case len(files) == 1:
		return files[0], nil, nil
	case len(files) == 2 && files[1].Name == files[0].Name+".json":
		return files[0], files[1], nil
	}
	return nil, nil, fmt.Errorf("a ZIP with a sinogram file and its sidecar (<file>.json) is expected, this one holds %d files", len(files))
}

func discard(parts []part) {
	for _, p := range parts {
		p.in.Discard()
	}
}

// uploaded keeps the files and makes their job.
func (n *Node) uploaded(parts []part) (job string, err error) {
	defer discard(parts)
	rule := n.sinogramRule()
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintln(sum, p.name, p.in.Sum())
	}
	fmt.Fprintln(sum, rule.Name, strings.Join(rule.SinogramArgs(), " "))
	hash := fmt.Sprintf("%x", sum.Sum(nil))
	j := &store.Job{ID: hash[:10] + "-s1", Revision: 1, Input: hash, Why: "uploaded"}
	in := &store.Input{}
	for _, p := range parts {
		size := p.in.Size()
		sum := p.in.Sum()
		file, err := p.in.Keep(uploadDir, j.ID, p.name)
		if err != nil {
			return "", err
		}
		in.Bytes += size
		in.Files = append(in.Files, store.InputFile{Name: "sinogram/" + p.name, File: file, Sum: sum})
	}
	in.Main = in.Files[0].Name
	return j.ID, n.uploadedJob(j, in, rule)
}

// uploadedJob stores the job of an upload, unless it is there.
func (n *Node) uploadedJob(j *store.Job, in *store.Input, rule *rules.Rule) error {
	made := false
	err := n.store.Update(func(tx *store.Tx) error {
		if _, ok, err := store.Jobs.Get(tx, j.ID); err != nil || ok {
			return err
		}
		made = true
		if err := store.AddBytes(tx, in.Bytes); err != nil {
			return err
		}
		return putJob(tx, j, rule, rule.SinogramArgs(), in)
	})
	if err == nil && made {
		n.log.Info("job made", "job", j.ID, "rule", j.Rule, "why", j.Why)
		n.note("job made", map[string]string{"job": j.ID, "rule": j.Rule, "input": j.Input})
		wake(n.wakeJobs)
	}
	return err
}

func (n *Node) sinogramRule() *rules.Rule {
	set := n.rules.Load()
	for i := range set.Rules {
		if set.Rules[i].Name == sinogramRule {
			return &set.Rules[i]
		}
	}
	return &rules.Rule{Name: "upload"}
}
