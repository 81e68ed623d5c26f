package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A long read shows its progress from time to time, and clears it; a quick read shows none, nor does one without a terminal.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		read := func(count int, each time.Duration) {
			for n := range count {
				time.Sleep(each)
				p.step(uint64(count - n - 1))
			}
		}
		read(5000, time.Microsecond)
		p.clear()
		if out.Len() > 0 {
			t.Errorf("a quick read shows %q", out.String())
		}
		read(8192, time.Millisecond)
		lines := strings.Split(out.String(), "\r")
		if len(lines) < 10 || len(lines) > 40 || !strings.Contains(lines[len(lines)-1], " events, 0s left") {
			t.Errorf("a long read shows %q", lines)
		}
		p.clear()
		if !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Error("the line is not cleared")
		}
	})
	var out bytes.Buffer
	c := call{stdout: &out, stderr: &out}
	if p := c.progress(); p != nil {
		t.Error("progress is shown without a terminal")
	}
	var nobody *readProgress
	nobody.step(1)
	nobody.clear()
}
