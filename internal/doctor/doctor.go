package doctor

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/streams"
)

// A Config is an installation: how its parts are reached, and what is expected of them.
type Config struct {
	Webhook Webhook
	NATS    NATS
	MKIO    MKIO
	Now     func() time.Time // nil: time.Now
}

// A Webhook is how deliveries are to come.
type Webhook struct {
	URL         string            // the bridge's public one; "": none
	Rule        string            // its name
	Secret      func() string     // that deliveries bring
	ClientCerts bool              // senders need a certificate
	Way         http.RoundTripper // that an empty batch takes; nil: [http.DefaultTransport]
}

// NATS is where the log is.
type NATS struct {
	// Connect is called once. Its connection is closed at the end.
	Connect  func(context.Context) (jetstream.JetStream, error)
	Embedded bool   // it is the server of a bridge on this machine, and nobody else may write there
	Domain   string // "": that of the server
	Streams  streams.Config
}

// MKIO is the API, and what of it is polled.
type MKIO struct {
	URL      string
	Way      func() (http.RoundTripper, error) // for what needs no token
	Client   func() (*mkio.Client, error)
	Token    string // "": nothing is polled
	Projects []string
	Kinds    []lifecycle.Kind // that are polled
	Claim    identity.Claim
}

// checkTime is how long one answer is waited for.
const checkTime = 20 * time.Second

// Examine makes all checks.
func Examine(ctx context.Context, c Config) iter.Seq[Finding] {
	if c.Now == nil {
		c.Now = time.Now
	}
	return func(yield func(Finding) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		x := &examination{Config: c}
		x.report = func(f Finding) {
			if x.stopped {
				return
			}
			if x.stopped = !yield(f); x.stopped {
				cancel()
			}
		}
		x.run(ctx)
	}
}

// An examination is one run of all checks. It is of one goroutine.
type examination struct {
	Config
	report   func(Finding)       // at once: the next one may take a while
	stopped  bool                // nobody takes findings any more
	js       jetstream.JetStream // nil until it answers
	client   *mkio.Client        // nil until the API answers and there is a token
	recorded identity.Note       // which MK.IO the log is of
}

func (x *examination) run(ctx context.Context) {
	x.report(x.judgeAddress())
	x.checkArrival(ctx)
	if ctx.Err() != nil {
		return
	}
	if js := x.connect(ctx); js != nil {
		defer js.Conn().Close()
		x.checkJetStream(ctx, js)
	}
	if ctx.Err() == nil {
		x.checkMKIO(ctx)
	}
}
