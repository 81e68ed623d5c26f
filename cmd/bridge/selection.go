package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/noanswer"
)

// openLog connects a command to the event log. The caller calls done when it has finished reading.
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

// connect connects a command to the configured NATS servers, or to the embedded server of a bridge on this machine.
func (c *call) connect(ctx context.Context, conf config, log *slog.Logger) (*nats.Conn, jetstream.JetStream, error) {
	server := natsConfig(conf, log)
	server.Name = "mkio-bridge " + c.command.name
	if server.URL == "" {
		if conf.NatsListen == "" {
			return nil, nil, usageError{errors.New("BRIDGE_NATS_URL and BRIDGE_NATS_LISTEN are both empty: set the one of the NATS to connect to")}
		}
		server.URL = "nats://" + conf.NatsListen
		server.Token = conf.NatsReaderToken.value
	}
	nc, err := broker.Connect(ctx, server)
	if err != nil {
		return nil, nil, connectError(err)
	}
	js, err := broker.NewJetStreamInDomain(nc, conf.NatsDomain)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, noanswer.Sequential(js), nil
}

// A selection holds the flags that filter events or resources, and the output format.
type selection struct {
	query  eventlog.Query
	output string
}

// add defines the flags that events and state share.
func (s *selection) add(set *flag.FlagSet) {
	s.addFilters(set)
	outputFlag(set, &s.output, "one CloudEvent per line")
}

// addFilters defines the flags that filter by resource and state.
func (s *selection) addFilters(set *flag.FlagSet) {
	set.Func("kind", "only this kind, e.g. job", parsed(&s.query.Kind, lifecycle.ParseKind))
	set.StringVar(&s.query.Project, "project", "", "only this project")
	set.StringVar(&s.query.Name, "name", "", "only resources of this name")
	set.StringVar(&s.query.State, "state", "", "only this state, case-insensitive; unset means the empty state")
	set.Func("phase", "only this phase: "+phaseList(), parsed(&s.query.Phase, lifecycle.ParsePhase))
}

// addRange defines the flags that select a range of the log.
func (s *selection) addRange(set *flag.FlagSet) {
	set.Func("since", "start of the period, inclusive: "+eventlog.TimeForms, parsed(&s.query.Since, eventlog.ParseTime))
	set.Func("until", "end of the period, exclusive: the same forms", parsed(&s.query.Until, eventlog.ParseTime))
	set.Func("by", "the time that --since and --until refer to: recorded, when the log stored the event (the default), or\n"+
		"time, the event's time: MK.IO's time of the change, or that of the observation; reads the whole log", parsed(&s.query.By, eventlog.ParseBy))
	set.Uint64Var(&s.query.From, "seq", 0, "first sequence to read; one outside the log is an error")
}

func (s *selection) checkRange() error {
	if s.query.From > 0 && !s.query.Since.IsZero() {
		return usageError{errors.New("--seq and --since exclude each other")}
	}
	return nil
}

// checkPosition returns an error when --seq is outside the log.
func (s *selection) checkPosition(ctx context.Context, log *eventlog.Log) error {
	if s.query.From == 0 {
		return nil
	}
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return err
	}
	return bounds.CheckFrom(s.query.From)
}

// outputFlag defines --output. The text json describes the JSON output, e.g. "one object per line".
func outputFlag(set *flag.FlagSet, output *string, json string) {
	*output = "text"
	set.Func("output", "text (default), or json: "+json, func(v string) error {
		if v != "text" && v != "json" {
			return fmt.Errorf("%q must be text or json", v)
		}
		*output = v
		return nil
	})
}

// parsed returns a function for [flag.Func] that parses the flag's value.
func parsed[T any](into *T, parse func(string) (T, error)) func(string) error {
	return func(v string) (err error) {
		*into, err = parse(v)
		return err
	}
}
