package main

import (
	"fmt"
	"net/http/httptest"
	"testing"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/cmd/ctrecon/internal/node/web"
)

// TestServePage presses the buttons of the page in a browser: a node without
// destinations, one series that was reconstructed, and an upload that cannot be.
func TestServePage(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	o := nodeOptions(t, t.TempDir(), quickRules)
	n := startNode(t, o)
	srv := httptest.NewServer(web.New(web.Options{Backend: n.Node, Dir: o.Dir, Version: "of the test"}))
	t.Cleanup(srv.Close)
	n.sendAll("SCANNER", phantomSeries(t, 4, 4)...)
	job := n.inState(1, db.Done)

	b.open(srv.URL + "/")
	b.until(`document.querySelectorAll("tr.row").length === 1 && document.querySelector("tr.row .state").innerText === "done"`)
	for id, want := range map[string]string{"destinations": "None: results stay on this node.", "quarantine": "Empty: every object was understood.", "health": "takes objects", "version": "of the test"} {
		b.until(fmt.Sprintf("document.getElementById(%q).innerText.includes(%q)", id, want))
	}

	b.press("tr.row button.name", "ctrecon thorax phantom RESEARCH")
	b.until(fmt.Sprintf("document.querySelector('tr.detail').innerText.includes(%q)", job.ID))
	b.press("tr.detail button", "Compare images")
	b.until(`document.getElementById("viewer").open && document.getElementById("under").naturalWidth > 0`)
	b.press("#viewer button", "Close")
	b.until(`!document.getElementById("viewer").open`)

	b.press("#groups button", "Needs attention 0")
	b.until(`document.getElementById("empty").innerText === "Nothing fits."`)
	b.press("#groups button", "All 1")
	b.until(`document.querySelectorAll("tr.row").length === 1`)

	// A file is given to the input as a person would choose it.
	if _, err := b.eval(`(() => { const d = new DataTransfer(); d.items.add(new File([new Uint8Array(300)], "bad.npy")); const f = document.getElementById("file"); f.files = d.files; f.dispatchEvent(new Event("change")); })()`); err != nil {
		t.Fatal(err)
	}
	b.until(`document.getElementById("said").innerText.includes("1 sinogram in the queue")`)
	b.until(`document.querySelector("#groups button.bad") !== null`)
	failed := func() *db.Job {
		for _, j := range n.jobs() {
			if j.State == db.Failed {
				return j
			}
		}
		return nil
	}
	before := failed()
	if before == nil || before.Reason == "" {
		t.Fatalf("the upload: %+v, want a failed job with its reason", before)
	}
	b.until(fmt.Sprintf("document.getElementById('rows').innerText.includes(%q)", before.Reason))
	b.press("tr.row button", "Try again")
	b.until(`document.getElementById("said").innerText === "The job is tried again."`)
	eventually(t, "tried again", func() bool { j := failed(); return j != nil && j.Ended.After(before.Ended) })
	b.healthy()

	b.open(srv.URL + "/results/" + job.ID + "/files/report.html")
	b.until(`document.querySelectorAll("canvas").length > 0 || document.querySelectorAll("img").length > 0`)
	b.until(`document.body.innerText.includes("not for diagnosis")`)
	b.healthy()
}
