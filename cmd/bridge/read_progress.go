package main

import (
	"fmt"
	"io"
	"time"
)

// A readProgress shows how far a long read of events is, in a terminal line that is overwritten. A nil one shows nothing.
type readProgress struct {
	out       io.Writer
	start     time.Time
	nextPrint time.Time
	done      uint64
	visible   bool
}

// Reads that take longer than progressDelay show their progress, every progressInterval.
const (
	progressDelay    = time.Second
	progressInterval = 250 * time.Millisecond
)

// progress returns nil unless standard error is a terminal and the data goes elsewhere.
func (c *call) progress() *readProgress {
	if !terminal(c.stderr) || terminal(c.stdout) {
		return nil
	}
	return newProgress(c.stderr)
}

func newProgress(out io.Writer) *readProgress {
	now := time.Now()
	return &readProgress{out: out, start: now, nextPrint: now.Add(progressDelay)}
}

// step counts one event; pending events follow.
func (p *readProgress) step(pending uint64) {
	if p == nil {
		return
	}
	p.done++
	if p.done%256 != 0 { // the clock costs more than the count
		return
	}
	now := time.Now()
	if now.Before(p.nextPrint) {
		return
	}
	p.nextPrint = now.Add(progressInterval)
	p.visible = true
	left := time.Duration(float64(now.Sub(p.start)) / float64(p.done) * float64(pending))
	fmt.Fprintf(p.out, "\r%d of %d events, %s left\x1b[K", p.done, p.done+pending, left.Round(time.Second))
}

// clear erases the line.
func (p *readProgress) clear() {
	if p != nil && p.visible {
		p.visible = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
