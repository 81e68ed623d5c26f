package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/spelling"
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
	server.Name = cmp.Or(c.command, programName)
	if server.URL == "" {
		if conf.NatsListen == "" {
			return nil, nil, usageError{errors.New("BRIDGE_NATS_URL and BRIDGE_NATS_LISTEN are both empty: set the one of the NATS to connect to")}
		}
		server.URL = "nats://" + conf.NatsListen
		server.Token = conf.NatsReaderToken.value
	}
	nc, err := broker.Connect(ctx, server)
	if err != nil {
		err = connectError(err)
		if conf.NatsURL == "" && errors.Is(err, nats.ErrNoServers) {
			err = noBridgeError{err}
		}
		return nil, nil, err
	}
	js, err := broker.NewJetStreamInDomain(nc, conf.NatsDomain)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, noanswer.Sequential(js), nil
}

// A selection holds the flags that filter events or resources.
type selection struct{ query eventlog.Query }

// addFilters defines the flags that filter by resource and state.
func (s *selection) addFilters(cmd *cobra.Command) {
	wordsFlag(cmd, &s.query.Kinds, "kind", "only these `KINDS`, separated by commas, e.g. job", lifecycle.ParseKind, lifecycle.Kinds())
	set := cmd.Flags()
	set.Func("project", "only these `PROJECTS`, separated by commas", parsed(&s.query.Projects, eventlog.ParseWords))
	set.StringVar(&s.query.Name, "name", "", "only resources of this `NAME`")
	set.Func("state", "only these `STATES`, separated by commas, case-insensitive; unset means the empty state", parsed(&s.query.States, eventlog.ParseWords))
	wordsFlag(cmd, &s.query.Phases, "phase", "only these `PHASES`, separated by commas: "+words(lifecycle.Phases()), lifecycle.ParsePhase, lifecycle.Phases())
	wordsFlag(cmd, &s.query.Vias, "via", "only what was observed by one of these `SOURCES`, separated by commas: "+words(lifecycle.Vias()), lifecycle.ParseVia, lifecycle.Vias())
	completeFlag(cmd, "project", completeProject(&s.query.Kinds))
	completeFlag(cmd, "name", completeName(&s.query.Kinds, &s.query.Projects))
	completeFlag(cmd, "state", completeState(&s.query.Kinds))
}

// addRange defines the flags that select a range of the log.
func (s *selection) addRange(cmd *cobra.Command) {
	set := cmd.Flags()
	set.Func("since", "start of the period, inclusive; `TIME` is "+eventlog.TimeForms, parsed(&s.query.Since, eventlog.ParseTime))
	set.Func("until", "end of the period, exclusive; `TIME` as for --since", parsed(&s.query.Until, eventlog.ParseTime))
	wordFlag(cmd, &s.query.By, "by", "the `TIME` that --since and --until refer to: recorded, when the log stored the event (the default), or\n"+
		"time, the event's time: MK.IO's time of the change, or that of the observation; reads the whole log", eventlog.ParseBy, eventlog.Bys())
	set.Uint64Var(&s.query.From, "seq", 0, "first `SEQUENCE` to read; one outside the log is an error")
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

// warnOfStates warns of states that are not listed for the kinds (none: for any): they may be typos, or new in MK.IO.
func (c *call) warnOfStates(kinds []lifecycle.Kind, states []string) {
	known := knownStates(kinds)
	of := "any kind"
	if len(kinds) > 0 {
		of = strings.Join(asStrings(kinds), ", ")
	}
	for _, state := range states {
		listed := slices.ContainsFunc(known, func(s string) bool { return lifecycle.SameState(s, state) })
		if state != "" && !listed {
			fmt.Fprintf(c.stderr, "%s: no state %s is listed for %s; the nearest is %s\n", c.command, printable.Name(state), of, spelling.Nearest(state, known))
		}
	}
}

// kindFlag defines --kind.
func kindFlag(cmd *cobra.Command, into *lifecycle.Kind, usage string) {
	wordFlag(cmd, into, "kind", usage, lifecycle.ParseKind, lifecycle.Kinds())
}

// wordFlag defines a flag whose value is one of several words. The error of another value names the nearest.
func wordFlag[T ~string](cmd *cobra.Command, into *T, name, usage string, parse func(string) (T, error), known []T) {
	cmd.Flags().Func(name, usage, func(v string) error {
		word, err := parse(v)
		if err != nil {
			return fmt.Errorf("%w; did you mean %s?", err, spelling.Nearest(v, asStrings(known)))
		}
		*into = word
		return nil
	})
	completeFlag(cmd, name, fixed(asStrings(known)...))
}

// wordsFlag is [wordFlag] for several words, separated by commas.
func wordsFlag[T ~string](cmd *cobra.Command, into *[]T, name, usage string, parse func(string) (T, error), known []T) {
	suggesting := func(v string) (T, error) {
		word, err := parse(v)
		if err != nil {
			err = fmt.Errorf("%w; did you mean %s?", err, spelling.Nearest(v, asStrings(known)))
		}
		return word, err
	}
	cmd.Flags().Func(name, usage, parsed(into, eventlog.ListOf(suggesting)))
	completeFlag(cmd, name, fixed(asStrings(known)...))
}

// parsed returns a function for [pflag.FlagSet.Func] that parses the flag's value.
func parsed[T any](into *T, parse func(string) (T, error)) func(string) error {
	return func(v string) (err error) {
		*into, err = parse(v)
		return err
	}
}
