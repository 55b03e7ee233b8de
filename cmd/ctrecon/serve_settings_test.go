package main

import (
	"net/netip"
	"testing"

	"ctrecon/dicomio/dimse"
)

func TestAllowList(t *testing.T) {
	for _, c := range []struct {
		text string
		want []dimse.Allowed // nil: an error
	}{
		{"", []dimse.Allowed{}},
		{"SCANNER1", []dimse.Allowed{{AETitle: "SCANNER1"}}},
		{"A@10.1.2.3/8, @::1 ,", []dimse.Allowed{{AETitle: "A", Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")}}},
		{"A@", nil}, {"A@10.0.0.0/33", nil}, {"A@host", nil}, {"THIS TITLE IS TOO LONG", nil}, {`A\B`, nil},
	} {
		got, err := allowList(c.text)
		if (err != nil) != (c.want == nil) || len(got) != len(c.want) && err == nil {
			t.Errorf("%q: %v, %v; want %v", c.text, got, err, c.want)
			continue
		}
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%q: %v, want %v", c.text, got[i], c.want[i])
			}
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "0": 0, "123": 123, "2K": 2048, "500M": 500 << 20, "1G": 1 << 30, "3T": 3 << 40, "8388607T": 8388607 << 40} {
		if got, err := byteSize(text); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"G", "-1", "1.5G", "1g", "8388608T", "1GB", " 1"} {
		if got, err := byteSize(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "0.0.0.0:1": false, ":1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "x": false} {
		if got := loopback(addr); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// FuzzAllowList: no text makes it panic; what it takes fits the titles and networks that
// the server knows.
func FuzzAllowList(f *testing.F) {
	f.Add("A@10.0.0.0/8,B")
	f.Add("@,@@,")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := allowList(text)
		for _, a := range all {
			if err == nil && a.AETitle != "" && dimse.CheckAETitle(a.AETitle) != nil {
				t.Errorf("title %q", a.AETitle)
			}
		}
		byteSize(text)
	})
}
