// Package replay publishes events of the log again, in order and with their ids, under another subject prefix: for an
// audit, or for a consumer that is to run once more.
//
// What was published says of which event it is, so a replay that was killed goes on behind the last one when it is
// called again; nobody else notes where it was. Each message is written with the sequence of the one before it as the
// expected one: two replays under one prefix cannot mix, and an acknowledgement that was lost is told from a write that
// never came.
package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// Headers of a message that was replayed.
const (
	HeaderSequence = "Mkio-Replay-Sequence" // of the event in the log
	HeaderReplay   = "Mkio-Replay"          // tells replays of different choices apart
)

// Config says what to publish again, and where.
type Config struct {
	Query  eventlog.Query
	Prefix string  // of the subjects, one or more tokens
	Rate   float64 // events a second; 0: as fast as they are taken
	// Step is called after each event with how many are left.
	Step func(pending uint64)
}

// A Result is what a replay did.
type Result struct {
	From  uint64 // the first event that was published this time; 0: none was
	Last  uint64 // the last event that is under the prefix now; 0: none is
	Count int    // events published this time
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// check refuses prefixes under which something else lives.
func check(prefix string, names event.Names) error {
	if !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("prefix %q must be tokens of letters, digits, _ and -, joined by dots", prefix)
	}
	for _, taken := range []string{names.Prefix(), names.UnappliedPrefix(), names.AuditPrefix()} {
		if prefix == taken || strings.HasPrefix(prefix, taken+".") {
			return fmt.Errorf("prefix %q is the bridge's own: what is published there would become part of it", prefix)
		}
	}
	return nil
}

// A target is where events go.
type target interface {
	// resume returns the last event that was published before; 0: none was.
	resume(ctx context.Context) (uint64, error)
	// put publishes an event. When it returns nil, the event is where it was to go.
	put(ctx context.Context, sequence uint64, msg *nats.Msg) error
}

// Stored publishes into the stream that takes the prefix, and goes on where an earlier replay of the same choice ended.
func Stored(ctx context.Context, js jetstream.JetStream, names event.Names, c Config) (Result, error) {
	if err := check(c.Prefix, names); err != nil {
		return Result{}, err
	}
	id, err := identity(ctx, js, names, c.Query)
	if err != nil {
		return Result{}, err
	}
	stream, err := streamOf(ctx, js, c.Prefix)
	if err != nil {
		return Result{}, err
	}
	return run(ctx, js, names, c, &stored{js: js, stream: stream, subjects: c.Prefix + ".>", id: id})
}

// Live publishes to whoever listens now. Nothing is stored, so nothing can be resumed: whoever was told the last event
// begins behind it.
func Live(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, names event.Names, c Config) (Result, error) {
	if err := check(c.Prefix, names); err != nil {
		return Result{}, err
	}
	result, err := run(ctx, js, names, c, live{nc})
	return result, errors.Join(err, nc.Flush())
}

func run(ctx context.Context, js jetstream.JetStream, names event.Names, c Config, to target) (Result, error) {
	var result Result
	last, err := to.resume(ctx)
	if err != nil {
		return result, err
	}
	result.Last = last
	q := c.Query
	if last > 0 {
		if q.From = max(q.From, last+1); q.By != eventlog.ByTime {
			q.Since = time.Time{}
		}
	}
	log := eventlog.New(js, names)
	if q.From > 0 {
		bounds, err := log.Bounds(ctx)
		if err == nil {
			err = bounds.CheckFrom(q.From)
		}
		if err != nil {
			return result, err
		}
	}
	limit := rate.NewLimiter(rate.Inf, 1)
	if c.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(c.Rate), max(1, int(c.Rate/10)))
	}
	for r, err := range log.Raw(ctx, q) {
		if err == nil {
			err = limit.Wait(ctx)
		}
		if err == nil {
			err = to.put(ctx, r.Sequence, again(r, c.Prefix, names))
		}
		if err != nil {
			return result, fmt.Errorf("replay of event %d: %w", r.Sequence, err)
		}
		if result.Count++; result.From == 0 {
			result.From = r.Sequence
		}
		result.Last = r.Sequence
		if c.Step != nil {
			c.Step(r.Pending)
		}
	}
	return result, nil
}

// again is an event under another prefix: what the server added on its way into the log is left out.
func again(r eventlog.Raw, prefix string, names event.Names) *nats.Msg {
	msg := nats.NewMsg(prefix + strings.TrimPrefix(r.Subject, names.Prefix()))
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "Nats-") {
			msg.Header[name] = values
		}
	}
	msg.Header.Set(HeaderSequence, strconv.FormatUint(r.Sequence, 10))
	msg.Data = r.Payload
	return msg
}

// identity tells replays apart that would publish different events of a log. Where they begin and end is not part of it:
// "since 2h" is another moment in each call. By the events' own time a period is no part of the log from one place to
// another, but a choice among all events: that one is part of it.
func identity(ctx context.Context, js jetstream.JetStream, names event.Names, q eventlog.Query) (string, error) {
	log, err := eventlog.New(js, names).Stream(ctx)
	if err != nil {
		return "", err
	}
	choice := []string{
		names.EventStream(), log.Created.UTC().Format(time.RFC3339Nano), string(q.Kind), q.Project, q.Name, strings.ToLower(q.State),
	}
	if q.Phase != "" {
		choice = append(choice, "phase", string(q.Phase))
	}
	if q.By == eventlog.ByTime {
		choice = append(choice, "time", q.Since.UTC().Format(time.RFC3339Nano), q.Until.UTC().Format(time.RFC3339Nano))
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%q", choice))
	return hex.EncodeToString(digest[:8]), nil
}

// live is a target that stores nothing.
type live struct{ nc *nats.Conn }

func (live) resume(context.Context) (uint64, error) { return 0, nil }

func (l live) put(_ context.Context, _ uint64, msg *nats.Msg) error { return l.nc.PublishMsg(msg) }
