package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/printable"
)

// A printer writes events as they are read, and shows the progress of a long read on a terminal.
type printer struct {
	out      *bufio.Writer
	progress *progress
}

func (c *call) printer() *printer {
	return &printer{out: bufio.NewWriterSize(c.stdout, 64<<10), progress: c.progress()}
}

// json writes events as stored, one per line.
func (p *printer) json(raws iter.Seq2[eventlog.Raw, error]) error {
	for r, err := range raws {
		if err != nil {
			return p.end(err)
		}
		_, _ = p.out.Write(r.Payload) // the writer keeps its error, and Flush returns it
		_ = p.out.WriteByte('\n')
		if err := p.step(r.Pending); err != nil {
			return err
		}
	}
	return p.end(nil)
}

// text writes events as lines of text.
func (p *printer) text(entries iter.Seq2[eventlog.LoggedEvent, error], line func(eventlog.LoggedEvent) string) error {
	for e, err := range entries {
		if err != nil {
			return p.end(err)
		}
		_, _ = p.out.WriteString(line(e))
		_ = p.out.WriteByte('\n')
		if err := p.step(e.Pending); err != nil {
			return err
		}
	}
	return p.end(nil)
}

// step ends an event. It flushes the output when no more events are pending, so that --follow shows each event at once.
func (p *printer) step(pending uint64) error {
	p.progress.step(pending)
	if pending > 0 {
		return nil
	}
	p.progress.clear()
	return p.out.Flush()
}

// end flushes the output, and returns the first error.
func (p *printer) end(err error) error {
	p.progress.clear()
	if flushed := p.out.Flush(); err == nil {
		err = flushed
	}
	return err
}

// eventLine formats an event: sequence, time, resource, change of state, via.
func eventLine(e eventlog.LoggedEvent) string {
	d := e.Event.Data
	change := e.StateText()
	if d.PreviousState != nil {
		change = printable.Name(*d.PreviousState) + " → " + change
	}
	return fmt.Sprintf("%6d  %s  %-58s  %s  [%s]", e.Sequence, e.Event.Time().Format("2006-01-02 15:04:05.000"), resourceName(e), change, d.Via)
}

// stateLine formats the state of a resource: resource, state, phase, time of the last event and its sequence.
func stateLine(e eventlog.LoggedEvent) string {
	return fmt.Sprintf("%-58s  %-24s  %-12s  %s  %6d", resourceName(e), e.StateText(), e.Event.Data.Phase, e.Event.Time().Format("2006-01-02 15:04:05.000"), e.Sequence)
}

func resourceName(e eventlog.LoggedEvent) string {
	d := e.Event.Data
	return fmt.Sprintf("%s %s/%s", d.Kind, printable.Name(d.Project), printable.Name(strings.Join(d.Path, "/")))
}

// printJSON writes v as one line of JSON.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// header writes the heading of a table, on terminals only.
func (c *call) header(format string, columns ...any) {
	if terminal(c.stdout) {
		fmt.Fprintf(c.stdout, format+"\n", columns...)
	}
}
