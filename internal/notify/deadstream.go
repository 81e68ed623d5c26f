package notify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// Headers of a dead letter. Its payload is the event, unchanged.
const (
	letterRule     = "Mkio-Notify-Rule"
	letterID       = "Mkio-Notify-Id"
	letterSubject  = "Mkio-Notify-Subject"
	letterSequence = "Mkio-Notify-Sequence"
	letterFirst    = "Mkio-Notify-First"
	letterCount    = "Mkio-Notify-Count"
	letterTries    = "Mkio-Notify-Tries"
	letterReason   = "Mkio-Notify-Reason"
)

// deadStream stores dead letters in a stream.
type deadStream struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	names   event.Names
	options StreamOptions
}

// maxLetterReason limits the reason in a header, in bytes.
const maxLetterReason = 1024

// StreamOptions are the settings with which a missing stream of dead letters is created.
type StreamOptions struct {
	Create   bool // false: a missing stream is an error
	Replicas int
	MaxBytes int64 // for accounts that require a limit; 0: none
}

// OpenStream returns the stream of dead letters, and creates it if it does not exist. Its error says that NATS does not
// permit it, or why else the stream cannot be used. No other request may be made on the connection meanwhile
// ([noanswer.CancelWhenForbidden]).
func OpenStream(ctx context.Context, js jetstream.JetStream, names event.Names, o StreamOptions) (DeadLetters, error) {
	name := names.NotifyFailedStream()
	asking, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), name)
	defer stop()
	stream, err := js.Stream(asking, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && o.Create {
		stream, err = js.CreateStream(asking, deadStreamConfig(names, o))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process created it meanwhile
			stream, err = js.Stream(asking, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, noanswer.Explain(ctx, js, err, name))
	}
	return &deadStream{js, stream, names, o}, nil
}

// deadStreamConfig is the stream of dead letters. No letter is ever removed for another: a full stream refuses further ones,
// and their events wait.
func deadStreamConfig(names event.Names, o StreamOptions) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name:        names.NotifyFailedStream(),
		Description: "Events that mkio-bridge notify could not send, with the reason",
		Subjects:    []string{names.NotifyFailedPrefix() + ".>"},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		Replicas:    o.Replicas,
		MaxBytes:    -1,
		AllowDirect: true,
	}
	if o.MaxBytes > 0 {
		config.MaxBytes = o.MaxBytes
	}
	return config
}

// Store publishes a letter.
func (d *deadStream) Store(ctx context.Context, l Letter) error {
	_, unprefixed, _ := strings.Cut(l.Subject, ".")
	m := nats.NewMsg(d.names.NotifyFailedSubject(l.Rule, event.ResourceOf(unprefixed)))
	m.Data = l.Event
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for name, value := range map[string]string{
		"Content-Type": "application/cloudevents+json",
		letterRule:     l.Rule, letterID: l.ID, letterSubject: l.Subject, letterSequence: number(l.Sequence), letterFirst: number(l.First),
		letterCount: strconv.Itoa(l.Count), letterTries: strconv.Itoa(l.Tries), letterReason: headerText(l.Reason),
	} {
		m.Header.Set(name, value)
	}
	// With the event's id, because sequences begin anew in a log that replaced another.
	err := d.publish(ctx, m, jetstream.WithMsgID(l.Rule+" "+l.ID+" "+number(l.First)+" "+number(l.Sequence)))
	return noanswer.Forbidden(d.js.Conn(), err, m.Subject)
}

// publish publishes a letter, without its event if that is too large: the log has it. A stream that is gone is created again,
// because the rules would wait for it.
func (d *deadStream) publish(ctx context.Context, m *nats.Msg, id jetstream.PublishOpt) error {
	_, err := d.js.PublishMsg(ctx, m, id)
	if errors.Is(err, nats.ErrMaxPayload) {
		m.Data = nil
		_, err = d.js.PublishMsg(ctx, m, id)
	}
	if !errors.Is(err, jetstream.ErrNoStreamResponse) || !d.options.Create {
		return err
	}
	if _, failed := d.js.CreateStream(ctx, deadStreamConfig(d.names, d.options)); failed != nil {
		return errors.Join(err, failed)
	}
	_, err = d.js.PublishMsg(ctx, m, id)
	return err
}

// headerText makes a text fit for a header: one line, of limited length.
func headerText(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out[:min(len(out), maxLetterReason)])
}

// letterOf is the inverse of Store.
func letterOf(m jetstream.Msg) (Letter, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Letter{}, err
	}
	h := m.Headers()
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(h.Get(name), 10, 64) // 0 for what is not a letter of this program
		return n
	}
	return Letter{
		Number: meta.Sequence.Stream, Time: meta.Timestamp.UTC(), Rule: h.Get(letterRule), ID: h.Get(letterID), Subject: h.Get(letterSubject),
		Sequence: number(letterSequence), First: number(letterFirst), Count: int(min(number(letterCount), math.MaxInt32)),
		Tries: int(min(number(letterTries), math.MaxInt32)), Reason: h.Get(letterReason), Event: m.Data(),
	}, nil
}

// List reads the stream.
func (d *deadStream) List(ctx context.Context) (all []Letter, err error) {
	consumer, err := d.js.OrderedConsumer(ctx, d.names.NotifyFailedStream(), jetstream.OrderedConsumerConfig{MaxResetAttempts: 1})
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	pending := consumer.CachedInfo().NumPending
	for pending > 0 {
		batch, err := consumer.Fetch(int(min(pending, 500)), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return all, d.explain(ctx, err)
		}
		before := len(all)
		for m := range batch.Messages() {
			l, err := letterOf(m)
			if err != nil {
				return all, d.explain(ctx, err)
			}
			all = append(all, l)
			if meta, err := m.Metadata(); err == nil {
				pending = meta.NumPending
			}
		}
		if err := batch.Error(); err != nil || len(all) == before {
			return all, d.explain(ctx, errors.Join(err, ctx.Err()))
		}
	}
	return all, nil
}

// Delete deletes a message of the stream.
func (d *deadStream) Delete(ctx context.Context, number uint64) error {
	return d.explain(ctx, d.stream.DeleteMsg(ctx, number))
}

// Count returns the number of messages of the stream.
func (d *deadStream) Count(ctx context.Context) (int, error) {
	info, err := d.stream.Info(ctx)
	if err != nil {
		return 0, d.explain(ctx, err)
	}
	return int(min(info.State.Msgs, math.MaxInt32)), nil
}

func (d *deadStream) String() string { return "stream " + d.names.NotifyFailedStream() }

func (d *deadStream) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", d, noanswer.Explain(ctx, d.js, err, d.names.NotifyFailedStream()))
}
