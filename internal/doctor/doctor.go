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

// A Config describes an installation: how its parts are reached, and what is expected of them.
type Config struct {
	Webhook Webhook
	NATS    NATS
	MKIO    MKIO
	Now     func() time.Time // nil: time.Now
}

// A Webhook describes how deliveries are expected to arrive.
type Webhook struct {
	URL         string            // the bridge's public one; "": none
	Rule        string            // name of the webhook rule
	Secret      func() string     // returns the secret that deliveries send
	ClientCerts bool              // senders need a client certificate
	Transport   http.RoundTripper // transport of the empty batch; nil: [http.DefaultTransport]
}

// NATS describes how to reach the NATS servers that have the log.
type NATS struct {
	// Connect is called once. Examine closes the connection.
	Connect  func(context.Context) (jetstream.JetStream, error)
	Embedded bool   // it is the embedded server of a bridge on this machine, to which only that bridge may write
	Domain   string // of JetStream; "": the server's own
	Streams  streams.Config
}

// MKIO describes how to reach MK.IO's API, and what the bridge polls.
type MKIO struct {
	URL       string
	Transport func() (http.RoundTripper, error) // transport of requests without the token
	Client    func() (*mkio.Client, error)      // of requests with the token
	Token     string                            // "": nothing is polled
	Projects  []string
	Kinds     []lifecycle.Kind // that are polled
	Claim     identity.Claim   // the identity that the configuration claims
}

// checkTimeout limits the checks of one part, such as JetStream, a list or a webhook rule.
const checkTimeout = 20 * time.Second

// Examine runs all checks while its caller ranges over the findings.
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

// An examination is one run of all checks, in one goroutine. Checks store in it what later ones need.
type examination struct {
	Config
	report   func(Finding)       // yields a finding at once
	stopped  bool                // the caller has stopped ranging
	js       jetstream.JetStream // nil until it has responded
	client   *mkio.Client        // nil without a token, and until the API has responded
	recorded identity.Note       // the log's MK.IO; zero until it was read
}

func (x *examination) run(ctx context.Context) {
	x.report(x.judgeAddress())
	x.checkTestDelivery(ctx)
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
