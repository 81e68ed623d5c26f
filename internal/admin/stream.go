package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/problem"
)

// streamEvents writes server-sent events: from a sequence (from, or Last-Event-ID) or a time (since), and then live. Without
// a position it starts with the next event. The first message identifies the log.
//
// The name of a message is its event's type, such as mkio.job.state.changed: an EventSource passes it to the listeners of
// that name, and not to onmessage. With unnamed=true each event is sent a second time, as a message without a name and with
// the same id, for clients that have only onmessage. A client then handles one of the two: it sets onmessage and adds no
// listener for the types of events. The unnamed message comes first: if the connection breaks between the two, the client
// has the event and Last-Event-ID names it. A client that listens by name does not set unnamed, because it could miss an
// event there. The message log is always named, so onmessage gets events only.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request) {
	request, err := parseStreamRequest(r)
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	bounds, err := a.c.Events.Bounds(r.Context())
	if err != nil {
		a.refuseRead(w, "the log", err)
		return
	}
	if outside, ok := errors.AsType[*eventlog.OutsideError](request.startIn(bounds)); ok {
		refuseStream(w, outside)
		return
	}
	stream := beginStream(w, request.unnamed)
	if stream.sendLog(bounds) != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer context.AfterFunc(a.c.Stopping, func() { cancel(errors.New("the bridge is stopping")) })()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	running.Go(func() { cancel(stream.keepAlive(ctx, keepAliveInterval)) })
	if err := stream.relay(a.c.Events.WithSmallPrefetch().Raw(ctx, request.query)); err != nil {
		a.c.Log.Warn("event stream aborted", "error", err)
	}
}

// keepAliveInterval is how often a stream sends a comment, so that no proxy closes the connection as idle.
const keepAliveInterval = 15 * time.Second

// An eventStream is a response of server-sent events. Two goroutines write it, one events and one comments; mu protects w.
type eventStream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	unnamed bool // send each event as an unnamed message too
}

// beginStream writes the header of the response.
func beginStream(w http.ResponseWriter, unnamed bool) *eventStream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // else nginx delays events until its buffer is full
	w.WriteHeader(http.StatusOK)
	return &eventStream{w: w, unnamed: unnamed}
}

// relay sends events until there are no more, or the client is gone. It flushes when no event is pending. It returns errors
// of reading the log only.
func (s *eventStream) relay(events iter.Seq2[eventlog.Raw, error]) error {
	for e, err := range events {
		var head struct {
			Type string `json:"type"`
		}
		if err == nil {
			err = json.Unmarshal(e.Payload, &head)
		}
		if err != nil {
			return err
		}
		if s.sendEvent(e, head.Type) != nil {
			return nil
		}
		if e.Pending == 0 && s.flush() != nil {
			return nil
		}
	}
	return nil
}

// sendEvent sends an event as a message named by its type, after an unnamed message if the client asked for those.
func (s *eventStream) sendEvent(e eventlog.Raw, name string) error {
	if s.unnamed {
		if err := s.send("id: %d\ndata: %s\n\n", e.Sequence, e.Payload); err != nil {
			return err
		}
	}
	return s.send("id: %d\nevent: %s\ndata: %s\n\n", e.Sequence, name, e.Payload)
}

func (s *eventStream) send(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintf(s.w, format, args...)
	return err
}

// sendLog sends the message that identifies the log. It has no id, so that Last-Event-ID is always that of an event.
func (s *eventStream) sendLog(bounds eventlog.Bounds) error {
	log, err := json.Marshal(newLogView(bounds))
	if err != nil {
		return err
	}
	return errors.Join(s.send("event: log\ndata: %s\n\n", log), s.flush())
}

func (s *eventStream) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return http.NewResponseController(s.w).Flush()
}

// keepAlive sends a comment at each interval, which clients ignore, until the context ends or the client is gone.
func (s *eventStream) keepAlive(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := errors.Join(s.send(":\n\n"), s.flush()); err != nil {
			return err
		}
	}
}
