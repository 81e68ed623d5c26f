package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

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
		way.Token = conf.NatsReaderToken.value
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
	s.addFilters(set)
	outputFlag(set, &s.output, "one CloudEvent a line")
}

// addFilters defines the flags that choose resources and states.
func (s *selection) addFilters(set *flag.FlagSet) {
	set.Func("kind", "only this kind, e.g. job", kindFlag(&s.query.Kind))
	set.StringVar(&s.query.Project, "project", "", "only this project")
	set.StringVar(&s.query.Name, "name", "", "only resources of this name")
	set.StringVar(&s.query.State, "state", "", "only this state, without regard to case; unset is the empty one")
}

// addRange defines the flags that choose a part of the log.
func (s *selection) addRange(set *flag.FlagSet) {
	set.Func("since", "from this time on: how long ago, or RFC 3339", moment(&s.query.Since))
	set.Func("until", "up to this time", moment(&s.query.Until))
	set.Uint64Var(&s.query.From, "seq", 0, "from this sequence on")
}

func (s *selection) checkRange() error {
	if s.query.From > 0 && !s.query.Since.IsZero() {
		return usageError{errors.New("--seq and --since exclude each other")}
	}
	return nil
}

// moment reads a point in time: how long ago, or RFC 3339.
func moment(into *time.Time) func(string) error {
	return func(v string) error {
		if d, err := time.ParseDuration(v); err == nil {
			*into = time.Now().Add(-d)
			return nil
		}
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("%q is neither a duration such as 2h nor a time such as 2031-03-04T10:00:00Z", v)
		}
		*into = t
		return nil
	}
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

// kindFlag reads a kind.
func kindFlag(into *lifecycle.Kind) func(string) error {
	return func(v string) error {
		*into = lifecycle.Kind(v)
		if into.Depth() == 0 {
			return fmt.Errorf("there is no kind %q; kinds are %s", v, kindList())
		}
		return nil
	}
}

func kindList() string {
	var names []string
	for _, k := range lifecycle.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
