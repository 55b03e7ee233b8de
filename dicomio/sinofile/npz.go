package sinofile

import (
	"archive/zip"
	"io"
	"path"
	"strings"
)

const maxMembers = 10000

// deflateRatio is the most that deflate can expand: 258 bytes for two bits or a
// little less, 1032 to 1.
const deflateRatio = 1032

// openNPZ lists the arrays of a NumPy archive (.npz, also with zip64).
func openNPZ(s *source) (*container, error) {
	z, err := zip.NewReader(s.at, s.size)
	if err != nil {
		return nil, s.bad("", "the zip archive cannot be read: %v", err)
	}
	if len(z.File) > maxMembers {
		return nil, s.bad("", "%d members: at most %d are read", len(z.File), maxMembers)
	}
	c := &container{source: s, kind: "npz"}
	for _, m := range z.File {
		if strings.HasSuffix(m.Name, "/") {
			continue
		}
		e, err := npzMember(s, m)
		if err != nil {
			return nil, err
		}
		if e == nil {
			c.note("member %q is no .npy array and was left out", m.Name)
			continue
		}
		if c.find(e.name) != nil {
			return nil, s.bad(e.name, "two members have this name")
		}
		c.entries = append(c.entries, e)
	}
	if len(c.entries) == 0 {
		return nil, s.bad("", "the archive holds no .npy array")
	}
	return c, nil
}

func npzMember(s *source, m *zip.File) (*entry, error) {
	if m.Name != path.Clean(m.Name) || strings.HasPrefix(m.Name, "/") || strings.HasPrefix(m.Name, "../") || strings.Contains(m.Name, "\\") {
		return nil, s.bad("", "member name %q points outside the archive", m.Name)
	}
	if !strings.HasSuffix(m.Name, ".npy") {
		return nil, nil
	}
	name := strings.TrimSuffix(m.Name, ".npy")
	if m.Method != zip.Store && m.Method != zip.Deflate {
		return nil, s.cannot(name, "zip method %d (stored and deflated members are read)", m.Method)
	}
	if m.CompressedSize64 > uint64(s.size) {
		return nil, s.bad(name, "%d compressed bytes in a file of %d", m.CompressedSize64, s.size)
	}
	r, err := m.Open()
	if err != nil {
		return nil, s.bad(name, "%v", err)
	}
	defer r.Close()
	e, start, err := npyHeader(s.fileName, name, r)
	if err != nil {
		return nil, err
	}
	bound := int64(m.CompressedSize64)
	if m.Method == zip.Deflate {
		bound = deflateBound(bound)
	}
	e.room = int64(min(uint64(bound), m.UncompressedSize64)) - start
	e.open = func() (io.Reader, error) { return openMember(s, m, name, start) }
	return e, nil
}

// deflateBound is the most bytes that n deflated bytes can become.
func deflateBound(n int64) int64 { return n*deflateRatio + 64 }

// openMember decompresses a member from the given offset on.
func openMember(s *source, m *zip.File, name string, start int64) (io.Reader, error) {
	r, err := m.Open()
	if err != nil {
		return nil, s.bad(name, "%v", err)
	}
	if _, err := io.CopyN(io.Discard, r, start); err != nil {
		return nil, s.bad(name, "%v", err)
	}
	return checked{r}, nil
}
