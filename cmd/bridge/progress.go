package main

import (
	"fmt"
	"io"
	"time"
)

// A progress tells on a terminal how far a long reading of events is, in a line that is written over. A nil one tells nothing.
type progress struct {
	out   io.Writer
	began time.Time
	next  time.Time // when it tells again
	done  uint64
	shown bool
}

// When a reading is long, and how often its progress is told then.
const (
	longReading   = time.Second
	progressEvery = 250 * time.Millisecond
)

// progress is nil where nobody reads standard error, and where the data itself comes to the terminal.
func (c *call) progress() *progress {
	if !terminal(c.stderr) || terminal(c.stdout) {
		return nil
	}
	return newProgress(c.stderr)
}

func newProgress(out io.Writer) *progress {
	now := time.Now()
	return &progress{out: out, began: now, next: now.Add(longReading)}
}

// step counts one; so many follow.
func (p *progress) step(pending uint64) {
	if p == nil {
		return
	}
	p.done++
	if p.done%256 != 0 { // the clock costs more than the count
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	p.shown = true
	left := time.Duration(float64(now.Sub(p.began)) / float64(p.done) * float64(pending))
	fmt.Fprintf(p.out, "\r%d of %d events, %s left\x1b[K", p.done, p.done+pending, left.Round(time.Second))
}

// clear takes the line away.
func (p *progress) clear() {
	if p != nil && p.shown {
		p.shown = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
