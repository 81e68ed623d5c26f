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

// A Webhook says how deliveries are meant to arrive.
type Webhook struct {
	URL         string            // the bridge's public one; "": none
	Rule        string            // name of the webhook rule
	Secret      func() string     // that deliveries carry
	ClientCerts bool              // senders need a certificate
	Way         http.RoundTripper // transport of the empty batch; nil: [http.DefaultTransport]
}

// NATS says how to reach the NATS server that has the log.
type NATS struct {
	// Connect is called once. Its connection is closed at the end.
	Connect  func(context.Context) (jetstream.JetStream, error)
	Embedded bool   // it is the embedded server of a bridge on this machine, and nobody else may write there
	Domain   string // of JetStream; "": the server's own
	Streams  streams.Config
}

// MKIO says how to reach MK.IO's API, and what of it the bridge polls.
type MKIO struct {
	URL      string
	Way      func() (http.RoundTripper, error) // transport of requests without the token
	Client   func() (*mkio.Client, error)      // of requests with the token
	Token    string                            // "": nothing is polled
	Projects []string
	Kinds    []lifecycle.Kind // that are polled
	Claim    identity.Claim   // which MK.IO the configuration says it is
}

// checkTime is how long the checks of one part may take, such as JetStream, a list or a webhook rule.
const checkTime = 20 * time.Second

// Examine makes all checks while its caller ranges over the findings.
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

// An examination is one run of all checks, in one goroutine. Checks leave in it what later ones need.
type examination struct {
	Config
	report   func(Finding)       // yields a finding at once: the next one may take a while
	stopped  bool                // nobody takes findings any more
	js       jetstream.JetStream // nil until it answers
	client   *mkio.Client        // nil until the API answers and there is a token
	recorded identity.Note       // which MK.IO the log is of, as far as it was read
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
