package ingest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// Limits of the requests in hand. What does not fit is answered 429 at once and comes again.
const (
	maxRequests  = 1024     // the log takes a few thousand writes a second: more would only wait
	bodyRoom     = 16 << 20 // bytes of bodies; the worst take sixteen times as much while they are decoded
	firstRoom    = 4 << 10  // bytes that a body is given at first
	retryBusy    = "1"      // seconds, when there is no room
	retryStorage = "5"      // seconds, when JetStream cannot store
)

// An Observer commits observations. It returns nil only when the observation is in the log, or the
// verdict says why it is not; it may be called again with the same observation after any error.
type Observer interface {
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// A Keeper stores what became no event. It returns nil only when it is stored; keeping one body
// again does nothing. The body is lent to it until it returns.
type Keeper interface {
	Keep(ctx context.Context, u lifecycle.Unapplied) error
}

// A Deleter deletes a stored delivery by its sequence in MKIO_UNAPPLIED. It returns nil only when the delivery is gone,
// whoever deleted it; it may be called again after any error.
type Deleter interface {
	Drop(ctx context.Context, sequence uint64) error
}

// A Weigher says what an Observer would make of an observation now, and writes nothing.
type Weigher interface {
	Weigh(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// Config is what a handler needs.
type Config struct {
	Observer Observer
	Weigher  Weigher
	Keeper   Keeper
	Deleter  Deleter // of what was retried and is in the log
	Decoder  mkio.Decoder
	// Secrets returns the secrets that authenticate a delivery; none: every delivery is accepted.
	// It is called for each request, so that secrets can be rotated.
	Secrets func() []string
	// Origins may ask for deliveries by the CloudEvents handshake; host names, compared whole.
	Origins []string
	MaxBody int64 // bytes
	// MaxBodyName is what MaxBody is called where it is set, for the answer to a larger body; "": it is not named.
	MaxBodyName string
	Log         *slog.Logger
	Token       func(lifecycle.Key) string // names a resource in the log's lines
	Tracer      tracing.Tracer
}

// A Handler answers POST and OPTIONS of the webhook's address.
type Handler struct {
	c        Config
	requests *semaphore.Weighted
	bytes    *semaphore.Weighted
	failures rate.Sometimes // deliveries that could not be stored, to be logged
	refusals refusals
	metrics  *metrics
}

// New returns a handler.
func New(c Config) *Handler {
	return &Handler{
		c:        c,
		requests: semaphore.NewWeighted(maxRequests),
		bytes:    semaphore.NewWeighted(max(bodyRoom, c.MaxBody+1)),
		failures: rate.Sometimes{First: 10, Interval: time.Second},
		metrics:  newMetrics(),
	}
}

// An answer is what the handler says to one request.
type answer struct {
	status     int
	detail     string // told to the sender, where status is an error
	retryAfter string // seconds
	cause      error  // told to the log alone
	stranger   bool   // nothing says that the sender is MK.IO
	probe      bool   // an empty batch: somebody tries whether deliveries arrive

	about *lifecycle.Observation // what the delivery told, where it could be read; of a batch the worst item's; told to the log alone
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h.metrics.inHand.Inc()
	defer h.metrics.inHand.Dec()
	var a answer
	switch r.Method {
	case http.MethodPost:
		a = h.deliver(w, r)
	case http.MethodOptions:
		a = h.handshake(w, r)
		a.stranger = true
	default:
		w.Header().Set("Allow", allowed)
		a = answer{status: http.StatusMethodNotAllowed, detail: "deliveries come by POST", stranger: true}
	}
	h.answer(w, r, began, a)
}

// Refuse answers a request that is no delivery: one for another address of the listener, or in another protocol.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	h.answer(w, r, time.Now(), answer{status: status, detail: detail, stranger: true})
}

// answer writes an answer, counts it and logs it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, began time.Time, a answer) {
	if a.stranger {
		w.Header().Set("Connection", "close") // for two minutes it would keep a place from a sender
	}
	a.write(w)
	took := time.Since(began)
	h.metrics.observe(r.Method, a.status, took)
	h.log(r, a, took)
}

// allowed are the methods of the webhook's address.
const allowed = "POST, OPTIONS"

// deliver takes one POST. A stranger's leaves no trace.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request) answer {
	if !authentic(r, h.c.Secrets()) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
		return answer{status: http.StatusUnauthorized, stranger: true, detail: "the webhook secret is missing or wrong: send it as X-Webhook-Secret, Authorization: Bearer or access_token"}
	}
	ctx, span := h.c.Tracer.Receive(r.Context(), "POST /webhooks/mkio", r.Header)
	a := h.accept(ctx, w, r)
	endDelivery(span, a)
	return a
}

// accept takes a delivery of one who may deliver: everything up to its body.
func (h *Handler) accept(ctx context.Context, w http.ResponseWriter, r *http.Request) answer {
	if !jsonContent(r.Header) {
		return answer{status: http.StatusUnsupportedMediaType, detail: "a delivery is JSON, not compressed: send Content-Type application/json or application/cloudevents+json"}
	}
	if r.ContentLength > h.c.MaxBody {
		w.Header().Set("Connection", "close") // or the server reads what is refused
		return h.tooLarge()
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, room, err := h.read(http.MaxBytesReader(w, r.Body, h.c.MaxBody), *buffer)
	defer h.release(room)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return h.tooLarge()
	case errors.Is(err, errNoRoom):
		return busy
	case err != nil: // it never came whole, so there is nothing to keep
		return answer{status: http.StatusBadRequest, detail: "the body could not be read to its end"}
	}
	if !h.requests.TryAcquire(1) { // only now: a body that comes slowly keeps nobody from the log
		return busy
	}
	defer h.requests.Release(1)
	// A sender that does not wait for its answer comes again: what it told is best committed by then.
	return h.take(context.WithoutCancel(ctx), body, time.Now())
}

// errNoRoom is for a body that does not fit beside those in hand.
var errNoRoom = errors.New("no room for the body")

// buffers have firstRoom, which most bodies fit into. What a body told is copied from it, so that its buffer can be used
// again when it was answered.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, firstRoom)) }}

// read takes a body into memory, into first as far as it fits, and returns the room that it takes, also after an error. It
// gets room as it comes: a length that is only claimed takes none from others.
func (h *Handler) read(body io.Reader, first []byte) (content []byte, room int64, err error) {
	content = first
	for {
		if int64(len(content)) == room {
			step := min(max(room, firstRoom), h.c.MaxBody+1-room) // 1 more, to see that a body is too large
			if !h.bytes.TryAcquire(step) {
				return nil, room, errNoRoom
			}
			h.metrics.bytes.Add(float64(step))
			room += step
			content = slices.Grow(content, int(room)-len(content))
		}
		n, err := body.Read(content[len(content):room])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) {
			return content, room, nil
		}
		if err != nil {
			return nil, room, err
		}
	}
}

// release gives back the room of a body.
func (h *Handler) release(room int64) {
	h.bytes.Release(room)
	h.metrics.bytes.Sub(float64(room))
}

func (h *Handler) tooLarge() answer {
	return answer{status: http.StatusRequestEntityTooLarge, detail: "the body is larger than " + cmp.Or(h.c.MaxBodyName, "allowed")}
}

var busy = answer{status: http.StatusTooManyRequests, detail: "too many deliveries are in hand: come again", retryAfter: retryBusy}

// jsonContent says whether the headers promise JSON that is not compressed. The body decides what it
// is; a sender that says nothing is not turned away.
func jsonContent(h http.Header) bool {
	for _, coding := range h.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return false
		}
	}
	for _, value := range h["Content-Type"] {
		if value == "application/json" { // nearly always
			continue
		}
		media, err := mediaType(value)
		json := media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
		if value != "" && (err != nil || !json) {
			return false
		}
	}
	return true
}

// mediaType reads the media type of a Content-Type. Parameters without a value (application/json;charset), which some
// senders write, are passed over.
func mediaType(value string) (string, error) {
	media, _, err := mime.ParseMediaType(value)
	if err == nil {
		return media, nil
	}
	kept, parameters, _ := strings.Cut(value, ";")
	all := []string{kept}
	for parameter := range strings.SplitSeq(parameters, ";") {
		if !plainName(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(parameter), "="))) {
			all = append(all, parameter)
		}
	}
	media, _, err = mime.ParseMediaType(strings.Join(all, ";"))
	return media, err
}

// plainName says whether a text is the name of a parameter and nothing else.
func plainName(text string) bool {
	_, _, err := mime.ParseMediaType("a/b;" + text + "=c")
	return text != "" && err == nil
}
