package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// browser is one tab of headless Chromium. It is spoken to by the DevTools protocol on
// pipes: messages of JSON that end with a zero byte.
type browser struct {
	t       *testing.T
	to      io.Writer
	from    chan map[string]any
	number  int
	session string
	faults  []string // exceptions of the pages' scripts
}

// openBrowser starts Chromium, or skips the test where it is missing.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--window-size=1400,1000", "--remote-debugging-pipe", "about:blank")
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirs, answers} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	b := &browser{t: t, to: to, from: make(chan map[string]any, 1000)}
	go b.listen(from)
	t.Cleanup(func() {
		b.send("Browser.close", nil)
		ended := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		ended.Stop()
		to.Close()
		from.Close()
	})
	tab := b.call("Target.createTarget", map[string]any{"url": "about:blank"})
	b.session, _ = b.call("Target.attachToTarget", map[string]any{"targetId": tab["targetId"], "flatten": true})["sessionId"].(string)
	b.call("Runtime.enable", nil)
	b.call("Page.enable", nil)
	return b
}

func (b *browser) listen(r io.Reader) {
	defer close(b.from)
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m map[string]any
		if json.Unmarshal(line[:len(line)-1], &m) == nil {
			b.from <- m
		}
	}
}

func (b *browser) send(method string, params map[string]any) error {
	b.number++
	m := map[string]any{"id": b.number, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" && !strings.HasPrefix(method, "Browser.") {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = b.to.Write(append(text, 0))
	return err
}

// call sends a command and waits for its answer.
func (b *browser) call(method string, params map[string]any) map[string]any {
	b.t.Helper()
	if err := b.send(method, params); err != nil {
		b.t.Fatal(err)
	}
	for end := time.After(30 * time.Second); ; {
		select {
		case m, ok := <-b.from:
			if !ok {
				b.t.Fatalf("%s: the browser has ended", method)
			}
			if m["method"] == "Runtime.exceptionThrown" {
				b.faults = append(b.faults, fmt.Sprint(m["params"]))
			}
			if id, _ := m["id"].(float64); int(id) == b.number {
				if m["error"] != nil {
					b.t.Fatalf("%s: %v", method, m["error"])
				}
				result, _ := m["result"].(map[string]any)
				return result
			}
		case <-end:
			b.t.Fatalf("%s: no answer in 30 s", method)
		}
	}
}

// open goes to a page and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url})
	b.until("document.readyState === 'complete' && location.href === " + fmt.Sprintf("%q", url))
}

// eval is the value of an expression in the page.
func (b *browser) eval(expression string) (any, error) {
	b.t.Helper()
	r := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if r["exceptionDetails"] != nil {
		return nil, errors.New(fmt.Sprint(r["exceptionDetails"]))
	}
	v, _ := r["result"].(map[string]any)
	return v["value"], nil
}

// until waits for an expression to hold.
func (b *browser) until(expression string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		v, err := b.eval(expression)
		if v == true {
			return
		}
		if time.Now().After(end) {
			text, _ := b.eval("document.body.innerText")
			b.t.Fatalf("not within 20 s: %s (%v, %v); the page says:\n%v", expression, v, err, text)
		}
	}
}

// press clicks the button, of those that a selector finds, that has this text.
func (b *browser) press(selector, text string) {
	b.t.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll(%q)].find(e => e.textContent.trim() === %q)", selector, text)
	b.until("!!" + find)
	if _, err := b.eval(find + ".click()"); err != nil {
		b.t.Fatal(err)
	}
}

// healthy fails the test where a script of a page has thrown.
func (b *browser) healthy() {
	b.t.Helper()
	for _, f := range b.faults {
		b.t.Errorf("a script has thrown: %s", f)
	}
	b.faults = nil
}
