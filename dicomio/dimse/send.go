package dimse

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Open makes an association whose presentation contexts fit the objects: one for
// each pair of SOP class and transfer syntax, as objects are sent as they are.
// Objects of a pair that the peer does not take get *NotAccepted from Store; when
// it takes none at all, Open says so.
func (c *Client) Open(ctx context.Context, objects []Object) (*Association, error) {
	proposed, err := contextsFor(objects)
	if err != nil {
		return nil, err
	}
	return c.dial(ctx, proposed, nil)
}

func contextsFor(objects []Object) ([]presentation, error) {
	var out []presentation
	seen := map[[2]string]bool{}
	for _, o := range objects {
		pair := [2]string{o.SOPClass, o.TransferSyntax}
		if seen[pair] {
			continue
		}
		seen[pair] = true
		if len(out) == maxContexts {
			return nil, fmt.Errorf("the objects have more than %d kinds (SOP class and transfer syntax): send them in several associations", maxContexts)
		}
		out = append(out, presentation{id: byte(2*len(out) + 1), abstract: o.SOPClass, transfer: []string{o.TransferSyntax}})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no object to send")
	}
	return out, nil
}

// Takes says whether the peer accepted objects like this one.
func (a *Association) Takes(r StoreRequest) bool {
	_, ok := a.contextOf(r.SOPClass, r.TransferSyntax)
	return ok
}

func (a *Association) contextOf(class, syntax string) (byte, bool) {
	for id, c := range a.contexts {
		if c.abstract == class && c.transfer[0] == syntax {
			return id, true
		}
	}
	return 0, false
}

// Store sends an object and waits for the peer's status. An error means that
// there was no status; Lost tells whether the association can be used on, as after
// *NotAccepted or an unreadable file.
func (a *Association) Store(ctx context.Context, o Object) (Status, error) {
	f, err := os.Open(o.Path)
	if err != nil {
		return Status{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Status{}, err
	}
	if _, err := f.Seek(o.Offset, io.SeekStart); err != nil {
		return Status{}, err
	}
	if info.Size() < o.Offset {
		return Status{}, fmt.Errorf("%s: has %d bytes, its data set would begin at %d", o.Path, info.Size(), o.Offset)
	}
	return a.StoreData(ctx, o.StoreRequest, f, info.Size()-o.Offset)
}

// StoreData is Store of a data set of size bytes from a reader.
func (a *Association) StoreData(ctx context.Context, r StoreRequest, data io.Reader, size int64) (s Status, err error) {
	if a.lost != nil {
		return s, fmt.Errorf("the association was lost before: %w", a.lost)
	}
	p, ok := a.contextOf(r.SOPClass, r.TransferSyntax)
	if !ok {
		return s, &NotAccepted{r.SOPClass, r.TransferSyntax}
	}
	data, size = evened(data, size)
	err = a.during(ctx, "during C-STORE", func() error {
		rq := command{field: cStore, id: a.nextID(), class: r.SOPClass, instance: r.SOPInstance, data: true}
		s, err = a.ask(p, rq, func() error { return a.out.send(p, rq, data, size) })
		return err
	})
	return s, err
}

// evened adds the NUL that a deflated data set of odd length needs (PS3.5 A.5);
// others are even unless they are damaged, and then the byte harms less than an
// odd fragment.
func evened(data io.Reader, size int64) (io.Reader, int64) {
	if size%2 == 0 {
		return data, size
	}
	return io.MultiReader(io.LimitReader(data, size), &zero{1}), size + 1
}

// zero reads n NULs.
type zero struct{ n int }

func (z *zero) Read(p []byte) (int, error) {
	n := min(z.n, len(p))
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.n -= n
	return n, nil
}
