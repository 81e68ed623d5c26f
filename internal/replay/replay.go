// Package replay republishes events of the log, in order and with their ids, under another subject prefix: for an audit, or
// to run a consumer again. [Stored] publishes to a stream (stored.go), [Live] to current subscribers.
//
// Each message has the sequence of its event in a header, so a replay that was killed resumes after the last message of the
// stream; there is no other state. Each message is written with the stream sequence of the previous one as the expected last
// sequence: two replays under one prefix cannot mix, and a lost acknowledgement is distinguished from a lost write.
package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// Headers of a replayed message.
const (
	HeaderSequence = "Mkio-Replay-Sequence" // of the event in the log
	HeaderReplay   = "Mkio-Replay"          // identifies the log and the filters, see identity
)

// Config configures a replay.
type Config struct {
	Query  eventlog.Query
	Prefix string  // of the subjects: one or more tokens
	Rate   float64 // events per second; 0: no limit
	// Step is called after each event with the number of events left.
	Step func(pending uint64)
}

// A Result is the result of a replay.
type Result struct {
	From  uint64 // the first event published by this call; 0: none
	Last  uint64 // the last event under the prefix; 0: none
	Count int    // events published by this call
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// checkPrefix returns an error for an invalid prefix, and for the bridge's own ones.
func checkPrefix(prefix string, names event.Names) error {
	if !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("prefix %q must be tokens of letters, digits, _ and -, joined by dots", prefix)
	}
	for _, taken := range []string{names.Prefix(), names.UnappliedPrefix(), names.AuditPrefix()} {
		if prefix == taken || strings.HasPrefix(prefix, taken+".") {
			return fmt.Errorf("prefix %q is the bridge's own: republished events would enter its streams", prefix)
		}
	}
	return nil
}

// A target receives the events.
type target interface {
	// resume returns the last event published by earlier calls; 0: none.
	resume(ctx context.Context) (uint64, error)
	// put publishes an event. With a nil error, the target has it.
	put(ctx context.Context, sequence uint64, msg *nats.Msg) error
}

// Stored publishes to the stream whose subjects include the prefix. It resumes after the last event of a replay with the
// same filters.
func Stored(ctx context.Context, js jetstream.JetStream, names event.Names, c Config) (Result, error) {
	if err := checkPrefix(c.Prefix, names); err != nil {
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

// Live publishes to current subscribers. Nothing is stored, so a replay does not resume: to continue after a [Result], start
// a query after its Last.
func Live(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, names event.Names, c Config) (Result, error) {
	if err := checkPrefix(c.Prefix, names); err != nil {
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
			err = to.put(ctx, r.Sequence, replayMessage(r, c.Prefix, names))
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

// replayMessage returns an event under another prefix, without the headers for and from the server.
func replayMessage(r eventlog.Raw, prefix string, names event.Names) *nats.Msg {
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

// identity returns an id of the log and the filters: replays with different ids would publish different events. The start
// and end are not part of it, because "since 2h" is another time in each call. A period by the events' own time is a filter
// on all events, not a range of the log, and is part of it.
func identity(ctx context.Context, js jetstream.JetStream, names event.Names, q eventlog.Query) (string, error) {
	log, err := eventlog.New(js, names).Stream(ctx)
	if err != nil {
		return "", err
	}
	choice := []string{
		names.EventStream(), log.Created.UTC().Format(time.RFC3339Nano), joined(q.Kinds), joined(q.Projects), q.Name, strings.ToLower(joined(q.States)),
	}
	if len(q.Phases) > 0 {
		choice = append(choice, "phase", joined(q.Phases))
	}
	if len(q.Vias) > 0 {
		choice = append(choice, "via", joined(q.Vias))
	}
	if q.By == eventlog.ByTime {
		choice = append(choice, "time", q.Since.UTC().Format(time.RFC3339Nano), q.Until.UTC().Format(time.RFC3339Nano))
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%q", choice))
	return hex.EncodeToString(digest[:8]), nil
}

// joined returns the values of a filter, in their order, as one text; a single value as it is.
func joined[S ~string](values []S) string {
	sorted := slices.Sorted(slices.Values(values))
	texts := make([]string, len(sorted))
	for i, v := range sorted {
		texts[i] = string(v)
	}
	return strings.Join(texts, ",")
}

// live is a target that stores nothing.
type live struct{ nc *nats.Conn }

func (live) resume(context.Context) (uint64, error) { return 0, nil }

func (l live) put(_ context.Context, _ uint64, msg *nats.Msg) error { return l.nc.PublishMsg(msg) }
