package main

import (
	"bufio"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/printable"
)

// A printer writes events as they are read, and shows the progress of a long read on a terminal.
type printer struct {
	out      *bufio.Writer
	progress *readProgress
}

func (c *call) printer() *printer {
	return &printer{out: bufio.NewWriterSize(c.stdout, 64<<10), progress: c.progress()}
}

// print writes events in a format. line formats an event as text.
func (p *printer) print(events iter.Seq2[eventlog.Raw, error], f format, line func(eventlog.LoggedEvent) string) error {
	for e, err := range events {
		if err == nil {
			err = p.event(e, f, line)
		}
		if err != nil {
			return p.end(err)
		}
		if err := p.step(e.Pending); err != nil {
			return err
		}
	}
	return p.end(nil)
}

// event writes an event. The writer keeps its error, and Flush returns it.
func (p *printer) event(raw eventlog.Raw, f format, line func(eventlog.LoggedEvent) string) error {
	switch f {
	case formatJSON: // as stored
		_, _ = p.out.Write(raw.Payload)
		_ = p.out.WriteByte('\n')
		return nil
	case formatYAML:
		return printYAML(p.out, raw.Payload)
	case formatName:
		line = resourcePath
	case formatText:
	}
	e, err := raw.Decode()
	if err == nil {
		_, _ = p.out.WriteString(line(e))
		_ = p.out.WriteByte('\n')
	}
	return err
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

// timeColumn is the layout of times in tables.
const timeColumn = "2006-01-02 15:04:05.000"

// eventLine formats an event: sequence, time, resource, change of state, via, errors.
func (c colour) eventLine(e eventlog.LoggedEvent) string {
	d := e.Event.Data
	change := c.ofPhase(d.Phase, e.StateText())
	if d.PreviousState != nil {
		change = printable.Name(*d.PreviousState) + " → " + change
	}
	return fmt.Sprintf("%6d  %s  %-58s  %s  [%s]", e.Sequence, e.Event.Time().Format(timeColumn), resourceName(e), change, d.Via) + errorSuffix(d.Errors)
}

// stateLine returns a function that formats the state of a resource: resource, state with the progress of a running job, phase,
// time of the last event and its sequence, errors. progress has the progress of jobs by their tokens.
func (c colour) stateLine(progress map[string]event.Progress) func(eventlog.LoggedEvent) string {
	return func(e eventlog.LoggedEvent) string {
		d := e.Event.Data
		text := e.StateText()
		if p, running := progress[e.Event.PartitionKey]; running && p.IsOf(d.Kind, d.State, d.Evidence.Life) {
			text += " " + progressText(p)
		}
		state := c.ofPhase(d.Phase, fmt.Sprintf("%-24s  %-12s", text, d.Phase))
		return fmt.Sprintf("%-58s  %s  %s  %6d", resourceName(e), state, e.Event.Time().Format(timeColumn), e.Sequence) + errorSuffix(d.Errors)
	}
}

func progressText(p event.Progress) string { return strconv.Itoa(p.Percent) + "%" }

func resourceName(e eventlog.LoggedEvent) string {
	d := e.Event.Data
	return fmt.Sprintf("%s %s/%s", d.Kind, printable.Name(d.Project), printable.Name(strings.Join(d.Path, "/")))
}

// resourcePathForm describes what resourcePath returns, for help texts.
const resourcePathForm = "KIND/PROJECT/NAME…, as in /v1/resources/"

// resourcePath returns the path of an event's resource below /v1/resources/.
func resourcePath(e eventlog.LoggedEvent) string {
	d := e.Event.Data
	names := []string{string(d.Kind), url.PathEscape(d.Project)}
	for _, name := range d.Path {
		names = append(names, url.PathEscape(name))
	}
	return strings.Join(names, "/")
}
