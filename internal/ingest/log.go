package ingest

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// log logs a request: at debug, or at a higher level where an operator may have to act. It never logs the query or the
// headers, because secrets are among them.
func (h *Handler) log(r *http.Request, a response, took time.Duration) {
	level, unlogged := h.level(r.Method, a)
	if !h.c.Log.Enabled(r.Context(), level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", truncatePath(r.URL.Path)), slog.String("remote", r.RemoteAddr),
		slog.Int("status", a.status), slog.String("detail", a.detail), slog.Int64("bytes", r.ContentLength), slog.Duration("took", took),
	}
	if unlogged > 0 {
		attributes = append(attributes, slog.Int("unlogged", unlogged))
	}
	if o := a.observation; o != nil {
		attributes = append(attributes, slog.String("project", o.Key.Project), slog.String("kind", string(o.Key.Kind)),
			slog.String("resource", h.c.Token(o.Key)), slog.String("delivery", o.Delivery.ID))
	}
	if a.cause != nil {
		attributes = append(attributes, slog.Any("error", a.cause))
	}
	if a.unauthenticated && a.status >= 400 {
		h.c.Log.LogAttrs(r.Context(), level, "request refused", attributes...)
		return
	}
	h.c.Log.LogAttrs(r.Context(), level, "delivery answered", attributes...)
}

// level returns the level of a request's log line and, for a refused request, how many of its class have not been logged at
// warn since the last that was.
func (h *Handler) level(method string, a response) (level slog.Level, unlogged int) {
	level = slog.LevelDebug
	switch {
	case a.status >= 500 && !a.unauthenticated: // during an outage every delivery fails; the metric counts each
		h.failures.Do(func() { level = slog.LevelError })
	case a.emptyBatch:
		level = slog.LevelInfo
	case a.status == http.StatusAccepted, a.status == http.StatusBadRequest && !a.unauthenticated:
		level = slog.LevelWarn
	case a.status >= 400:
		var due bool
		if due, unlogged = h.refusals.due(refusal{methodClass(method), a.status}, time.Now()); due {
			level = slog.LevelWarn
		}
	}
	return level, unlogged
}

// RefusedByServer counts and logs a request that the HTTP server itself refused because of its headers, before any handler.
func (h *Handler) RefusedByServer(remote string, status int) {
	h.metrics.requests.WithLabelValues(otherMethod, strconv.Itoa(status)).Inc()
	due, unlogged := h.refusals.due(refusal{otherMethod, status}, time.Now())
	if !due {
		return
	}
	h.c.Log.Warn("request refused", "remote", remote, "status", status, "detail", "request headers are malformed or too large", "unlogged", unlogged)
}

// maxPath is how many bytes of a path are logged: a stranger may choose it.
const maxPath = 200

// truncatePath shortens a path to maxPath bytes without splitting a rune.
func truncatePath(path string) string {
	if len(path) <= maxPath {
		return path
	}
	end := maxPath
	for end > 0 && !utf8.RuneStart(path[end]) {
		end--
	}
	return path[:end] + "…"
}

// A refusal is a class of refused requests. Each class has its own log limit, so that the requests of scanners do not crowd
// out those of a sender with a wrong secret or address.
type refusal struct {
	method string // POST, OPTIONS or other
	status int
}

// Log limits of a class: anybody on the network can send refused requests.
const (
	firstRefusals = 5
	refusalEvery  = time.Minute
)

// refusals limits the log lines of refused requests.
type refusals struct {
	mu      sync.Mutex
	classes map[refusal]*refusalLines
}

type refusalLines struct {
	logged, unlogged int
	last             time.Time
}

// due reports whether a refusal is to be logged, and how many of its class have not been since the last that was.
func (r *refusals) due(class refusal, now time.Time) (due bool, unlogged int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.classes[class]
	if lines == nil {
		lines = &refusalLines{}
		if r.classes == nil {
			r.classes = map[refusal]*refusalLines{}
		}
		r.classes[class] = lines
	}
	if lines.logged >= firstRefusals && now.Sub(lines.last) < refusalEvery {
		lines.unlogged++
		return false, 0
	}
	unlogged = lines.unlogged
	lines.logged, lines.unlogged, lines.last = lines.logged+1, 0, now
	return true, unlogged
}
