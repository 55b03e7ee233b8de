package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	db "ctrecon/cmd/ctrecon/internal/node/store"
	"ctrecon/dicomio/dimse"
)

// installed is the path of a program; without it the test is skipped.
func installed(t testing.TB, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return p
}

// background runs a peer until the test ends, and waits until it answers an echo.
func background(t *testing.T, p dimse.Peer, name string, args ...string) {
	t.Helper()
	out := &safeBuffer{}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	eventually(t, name+" answers", func() bool {
		_, err := (&dimse.Client{AETitle: "CTRECON", Peer: p}).Echo(t.Context())
		return err == nil
	})
}

func freePort(t *testing.T) int {
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestServeDcmtk: storescu sends a series, breaks off once, and storescp gets the result.
func TestServeDcmtk(t *testing.T) {
	t.Parallel()
	storescu, storescp := installed(t, "storescu"), installed(t, "storescp")
	dir := t.TempDir()
	p := newPACS(t, "STORE")
	background(t, dimse.Peer{AETitle: "STORE", Host: "127.0.0.1", Port: p.port}, storescp, "+B", "-aet", "STORE", "-od", dir, strconv.Itoa(p.port))
	n := startNode(t, nodeOptions(t, t.TempDir(), quickRules+"destinations = [\"STORE\"]\n"+p.rules("")))
	files := phantomSeries(t, 4, 4)
	send := func(more ...string) ([]byte, error) {
		args := append(more, "-aet", "SCANNER", "-aec", "CTRECON", "127.0.0.1", strconv.Itoa(n.peer.Port))
		return exec.Command(storescu, append(args, files...)...).CombinedOutput()
	}
	if out, err := send("--abort"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := send(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	j := n.inState(1, db.Done)
	eventually(t, "delivered", func() bool { return n.states("STORE")[db.Sent] == j.Objects })
	result, _ := n.ResultDir(j.ID)
	want, got := dataSums(t, result), dataSums(t, dir)
	if len(got) != len(want) || len(want) != 10 {
		t.Errorf("%d objects at storescp, want %d of 10", len(got), len(want))
	}
	for uid, sum := range want {
		if got[uid] != sum {
			t.Errorf("%s is missing or another", uid)
		}
	}
	for _, j := range n.jobs() {
		if j.State != db.Done || j.Slices != 4 {
			t.Errorf("job of %d slices is %s", j.Slices, j.State)
		}
	}
}

// TestServeOrthanc: a series goes from Orthanc to the node and its result comes back,
// with storage commitment both ways.
func TestServeOrthanc(t *testing.T) {
	t.Parallel()
	orthanc := installed(t, "Orthanc")
	p := newPACS(t, "ORTHANC")
	n := startNode(t, nodeOptions(t, t.TempDir(), quickRules+"destinations = [\"ORTHANC\"]\n"+p.rules("commit = true")))
	dir := t.TempDir()
	web := freePort(t)
	config := filepath.Join(dir, "orthanc.json")
	text := fmt.Sprintf(`{"Name": "PEER", "StorageDirectory": %q, "IndexDirectory": %q, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
	"HttpPort": %d, "DicomPort": %d, "DicomAet": "ORTHANC", "DicomAlwaysAllowStore": true, "Plugins": [],
	"DicomModalities": {"us": {"AET": "CTRECON", "Host": "127.0.0.1", "Port": %d, "AllowEcho": true, "AllowStore": true, "AllowStorageCommitment": true}}}`,
		filepath.Join(dir, "db"), filepath.Join(dir, "db"), web, p.port, n.peer.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	there := dimse.Peer{AETitle: "ORTHANC", Host: "127.0.0.1", Port: p.port}
	background(t, there, orthanc, config)
	if code := command(t.Context(), io.Discard, os.Stderr, append([]string{"send", "--quiet", there.String()}, phantomSeries(t, 4, 4)...)...); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", web)
	ask := func(method, path, body string) []byte {
		t.Helper()
		rq, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(rq)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d %s %v", method, path, r.StatusCode, b, err)
		}
		return b
	}
	ids := ask("GET", "/instances", "")
	ask("POST", "/modalities/us/store", string(ids))
	j := n.inState(1, db.Done)
	eventually(t, "committed", func() bool { return n.states("ORTHANC")[db.Committed] == j.Objects })
	var all []string
	if err := json.Unmarshal(ask("GET", "/instances", ""), &all); err != nil || len(all) != 4+j.Objects {
		t.Errorf("%d objects in Orthanc, %v; want %d", len(all), err, 4+j.Objects)
	}

	var asked struct{ Path string }
	if err := json.Unmarshal(ask("POST", "/modalities/us/storage-commitment", fmt.Sprintf(`{"Resources": %s}`, ids)), &asked); err != nil || asked.Path == "" {
		t.Fatalf("Orthanc asks for commitment: %+v, %v", asked, err)
	}
	var report struct{ Status string }
	eventually(t, "Orthanc has our report", func() bool {
		return json.Unmarshal(ask("GET", asked.Path, ""), &report) == nil && report.Status != "Pending"
	})
	if report.Status != "Success" {
		t.Errorf("our report says %q", report.Status)
	}
}
