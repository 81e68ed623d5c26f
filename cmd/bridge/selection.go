package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// openLog connects a command that reads to the log.
func (c *call) openLog(ctx context.Context) (log *eventlog.Log, done func(), err error) {
	conf, err := loadConfig()
	if err != nil {
		return nil, nil, usageError{err}
	}
	nc, js, err := c.connect(ctx, conf, c.logger(conf))
	if err != nil {
		return nil, nil, err
	}
	return eventlog.New(js, event.NewNames(conf.SubjectPrefix)), nc.Close, nil
}

// connect connects a command to the NATS of the configuration, or to the embedded server of a bridge on this
// machine.
func (c *call) connect(ctx context.Context, conf config, log *slog.Logger) (*nats.Conn, jetstream.JetStream, error) {
	way := natsConfig(conf, log)
	way.Name = "mkio-bridge " + c.command.name
	if way.URL == "" {
		if conf.NatsListen == "" {
			return nil, nil, usageError{fmt.Errorf("%s_NATS_URL and %s_NATS_LISTEN are both empty: there is no NATS to connect to", prefix, prefix)}
		}
		way.URL = "nats://" + conf.NatsListen
	}
	nc, err := broker.Connect(ctx, way)
	if err != nil {
		return nil, nil, connectError(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

// A selection is the flags that choose events or resources, and how they are printed.
type selection struct {
	query  eventlog.Query
	output string
}

// add defines the flags that events and state share.
func (s *selection) add(set *flag.FlagSet) {
	set.Func("kind", "only this kind, e.g. job", func(v string) error {
		s.query.Kind = lifecycle.Kind(v)
		if s.query.Kind.Depth() == 0 {
			return fmt.Errorf("there is no kind %q; kinds are %s", v, kindList())
		}
		return nil
	})
	set.StringVar(&s.query.Project, "project", "", "only this project")
	set.StringVar(&s.query.Name, "name", "", "only resources of this name")
	set.StringVar(&s.query.State, "state", "", "only this state, without regard to case")
	set.StringVar(&s.output, "output", "text", "text, or json for one CloudEvent a line")
}

func (s *selection) check() error {
	if s.output != "text" && s.output != "json" {
		return usageError{fmt.Errorf("--output %q must be text or json", s.output)}
	}
	return nil
}

func kindList() string {
	var names []string
	for _, k := range lifecycle.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// printAll writes events until there are no more, or one cannot be read.
func (s *selection) printAll(w io.Writer, entries iter.Seq2[eventlog.Entry, error]) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := s.print(w, e); err != nil {
			return err
		}
	}
	return nil
}

// print writes one event: its payload on a line, or a line for people.
func (s *selection) print(w io.Writer, e eventlog.Entry) error {
	if s.output == "json" {
		_, err := fmt.Fprintf(w, "%s\n", e.Payload)
		return err
	}
	_, err := fmt.Fprintln(w, eventLine(e))
	return err
}

// eventLine is an event in a line: place, time, resource, change, way.
func eventLine(e eventlog.Entry) string {
	d := e.Event.Data
	change := printable(d.State)
	if d.PreviousState != nil {
		change = printable(*d.PreviousState) + " → " + change
	}
	if lifecycle.ProvisioningFailed(d.ProvisioningState) {
		change += " (provisioning failed)"
	}
	resource := fmt.Sprintf("%s %s/%s", d.Kind, printable(d.Project), printable(strings.Join(d.Path, "/")))
	return fmt.Sprintf("%6d  %s  %-58s  %s  [%s]", e.Sequence, e.Event.Time.Format("2006-01-02 15:04:05.000"), resource, change, d.Via)
}

// printable shows a name or state as it is where that is safe on a terminal, and quoted elsewhere.
func printable(s string) string {
	if quoted := fmt.Sprintf("%q", s); s == "" || quoted != `"`+s+`"` {
		return quoted
	}
	return s
}
