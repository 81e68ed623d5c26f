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
		way.Token = conf.NatsReaderToken.value
	}
	nc, err := broker.Connect(ctx, way)
	if err != nil {
		return nil, nil, connectError(err)
	}
	js, err := broker.JetStreamOf(nc, conf.NatsDomain)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, noanswer.Sequential(js), nil
}

// A selection is the flags that choose events or resources, and how they are printed.
type selection struct {
	query  eventlog.Query
	output string
}

// add defines the flags that events and state share.
func (s *selection) add(set *flag.FlagSet) {
	s.addFilters(set)
	outputFlag(set, &s.output, "one CloudEvent a line")
}

// addFilters defines the flags that choose resources and states.
func (s *selection) addFilters(set *flag.FlagSet) {
	set.Func("kind", "only this kind, e.g. job", parsed(&s.query.Kind, lifecycle.ParseKind))
	set.StringVar(&s.query.Project, "project", "", "only this project")
	set.StringVar(&s.query.Name, "name", "", "only resources of this name")
	set.StringVar(&s.query.State, "state", "", "only this state, without regard to case; unset is the empty one")
	set.Func("phase", "only this phase: "+phaseList(), parsed(&s.query.Phase, lifecycle.ParsePhase))
}

// addRange defines the flags that choose a part of the log.
func (s *selection) addRange(set *flag.FlagSet) {
	set.Func("since", "from this time on: "+eventlog.TimeForms, parsed(&s.query.Since, eventlog.ParseTime))
	set.Func("until", "before this time, which is not part of the period: the same forms", parsed(&s.query.Until, eventlog.ParseTime))
	set.Func("by", "the time that --since and --until are compared with: recorded, when the log stored the event (the default), or\n"+
		"time, the event's own, which is of the change as MK.IO gave it, or of the observation; the whole log is read then", parsed(&s.query.By, eventlog.ParseBy))
	set.Uint64Var(&s.query.From, "seq", 0, "from this sequence on; one that the log does not have is an error")
}

func (s *selection) checkRange() error {
	if s.query.From > 0 && !s.query.Since.IsZero() {
		return usageError{errors.New("--seq and --since exclude each other")}
	}
	return nil
}

// checkPosition returns an error when the log does not have the sequence that reading is to begin at.
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

// outputFlag defines how something is printed, and says what json is for.
func outputFlag(set *flag.FlagSet, output *string, json string) {
	*output = "text"
	set.Func("output", "text (the default), or json for "+json, func(v string) error {
		if v != "text" && v != "json" {
			return fmt.Errorf("%q must be text or json", v)
		}
		*output = v
		return nil
	})
}

// parsed is what a flag calls to have its value read.
func parsed[T any](into *T, parse func(string) (T, error)) func(string) error {
	return func(v string) (err error) {
		*into, err = parse(v)
		return err
	}
}
