package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/tracing"
)

// prefix is the first word of every variable of the bridge.
const prefix = "BRIDGE"

// config is every setting of the bridge. The desc tags are the manual: README and `bridge config` are
// made of them. A secret has a second variable, the same with _FILE, that names a file to read it
// from, again when it changes.
type config struct {
	Listen         string `split_words:"true" default:"127.0.0.1:8080" desc:"webhook listener; any address but loopback needs a secret"`
	AdminListen    string `split_words:"true" default:"127.0.0.1:9090" desc:"admin listener: health, metrics, schemas, /v1"`
	TLSCert        string `split_words:"true" desc:"certificate file of the webhook listener, read again when it changes"`
	TLSKey         string `split_words:"true" desc:"key file of the webhook listener"`
	TLSClientCA    string `split_words:"true" desc:"file with certificates, read again when it changes: who connects to the webhook listener needs one that they signed, besides the secret"`
	WebhookSecrets secret `split_words:"true" desc:"secrets that authenticate deliveries, comma-separated; the first is current"`
	AdminToken     secret `split_words:"true" desc:"bearer token of /v1; without one /v1 exists on loopback alone"`

	MkioURL     string        `split_words:"true" default:"https://app.mk.io" desc:"base address of MK.IO's API; events' sources lie below it; another one than the log's is refused"`
	MkioAdopt   string        `split_words:"true" desc:"go on with a log of another MK.IO: address (the same MK.IO under a new address) or all (what answers now is the one, and what it does not have becomes Deleted); remove it after the start that needed it"`
	MkioCA      string        `split_words:"true" desc:"file with certificates that sign MK.IO's, or those of a proxy in front of it, besides the system's; read at start"`
	MkioToken   secret        `split_words:"true" desc:"API token; without it nothing is polled"`
	Projects    list          `split_words:"true" desc:"projects to sweep and to take deliveries of, comma-separated; empty: all that the token can see"`
	Kinds       kinds         `desc:"kinds to poll, comma-separated; empty: all but source, content, destination"`
	PollRate    int           `split_words:"true" default:"1000" desc:"most requests a minute to MK.IO, of each project"`
	PollActive  time.Duration `split_words:"true" default:"5s" desc:"look again at a resource in motion"`
	PollSweep   time.Duration `split_words:"true" default:"1m" desc:"find what changed since the last sweep"`
	PollFull    time.Duration `split_words:"true" default:"1h" desc:"full sweep: deletions, and whatever a question for changes cannot see"`
	WebhookURL  string        `split_words:"true" desc:"public URL of this bridge, without a path or with one that ends in /webhooks/mkio; when set, the webhook rule is registered in each project and kept right"`
	WebhookRule string        `split_words:"true" default:"mkio-bridge" desc:"name of the webhook rule"`
	// So many deletions at once may be an outage of MK.IO that answers 404.
	DeletePatience time.Duration `split_words:"true" default:"15m" desc:"when more than 20 resources of a kind are gone, and more than a fifth of those that lived, their deletions wait so long to be confirmed again; 0: they do not"`

	NatsURL      servers `split_words:"true" desc:"NATS servers, comma-separated; empty: an embedded server"`
	NatsCreds    string  `split_words:"true" desc:"NATS credentials file"`
	NatsNkey     string  `split_words:"true" desc:"NATS nkey seed file"`
	NatsUser     string  `split_words:"true" desc:"NATS user"`
	NatsPassword secret  `split_words:"true" desc:"NATS password"`
	NatsToken    secret  `split_words:"true" desc:"NATS token"`
	NatsTLSCa    string  `split_words:"true" desc:"file with the certificates that sign the NATS servers'"`
	NatsTLSCert  string  `split_words:"true" desc:"client certificate file for NATS"`
	NatsTLSKey   string  `split_words:"true" desc:"client key file for NATS"`
	NatsTLSFirst bool    `split_words:"true" default:"false" desc:"TLS before the NATS protocol, as NATS servers with handshake_first want it"`
	NatsDomain   string  `split_words:"true" desc:"JetStream domain that the streams are in; empty: that of the servers of BRIDGE_NATS_URL"`

	NatsListen      string   `split_words:"true" default:"127.0.0.1:4222" desc:"embedded server: client port for readers; empty: none"`
	NatsReaderToken secret   `split_words:"true" desc:"embedded server: token that readers bring; without one whoever reaches the port may read"`
	StoreDir        string   `split_words:"true" default:"./data" desc:"embedded server: directory of the store"`
	Sync            syncMode `default:"always" desc:"embedded server: always (an acknowledged event is on disk) or an interval such as 2s"`

	StreamReplicas int           `split_words:"true" default:"1" desc:"replicas of the streams that the bridge creates"`
	StreamManage   string        `split_words:"true" default:"create" desc:"create the streams that are missing, or only verify"`
	MaxAge         time.Duration `split_words:"true" default:"0" desc:"age limit of the event log when it is created; 0: keep"`
	StreamMaxBytes byteSize      `split_words:"true" default:"0" desc:"size limit of each stream and bucket when it is created, for accounts that require one, e.g. 1GiB; 0: none"`
	SubjectPrefix  string        `split_words:"true" default:"mkio" desc:"first token of all subjects; streams and buckets take it too"`

	Resource    string   `default:"redacted" desc:"the record in an event: full, redacted or none"`
	Correlation string   `default:"full" desc:"correlation data, which is yours: full, redacted or none; in the record too"`
	MaxBody     byteSize `split_words:"true" default:"4MiB" desc:"largest body of a webhook request"`

	IdleTimeout time.Duration `split_words:"true" default:"120s" desc:"how long an idle kept-alive connection of the webhook listener stays open: more than your load balancer keeps it, or a delivery may be sent into its closing"`

	LogLevel  logLevel `split_words:"true" default:"info" desc:"debug, info, warn or error, at the start; PUT /v1/log-level changes it"`
	LogFormat string   `split_words:"true" desc:"text or json; empty: text on a terminal, else json"`
	Pprof     bool     `default:"false" desc:"profiles of the process under /debug/pprof/ of the admin listener, for who may read /v1"`

	// The ways out, nil: the network. They are no settings, and stand last.
	transport http.RoundTripper // to MK.IO
	dialer    nats.CustomDialer // to NATS

	tracer tracing.Tracer // as OpenTelemetry's own variables say
}

// leastStream is the least size that streams may be limited to: an event can be as large as a NATS message.
const leastStream byteSize = 1 << 20

// loadConfig reads the environment. Every mistake is reported, each with its variable; values of
// secrets are not.
func loadConfig() (config, error) {
	var c config
	if err := checkNames(os.Environ(), variables()); err != nil {
		return c, err
	}
	if err := envconfig.Process(prefix, &c); err != nil {
		return c, explainParse(err)
	}
	if err := c.resolveSecrets(os.LookupEnv); err != nil {
		return c, err
	}
	return c, c.validate()
}

// explainParse says which variable is wrong, without the machinery's own words.
func explainParse(err error) error {
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		if parse.Value == "" {
			return fmt.Errorf("%s is set, but empty: unset it for its default", parse.KeyName)
		}
		return fmt.Errorf("%s: %q cannot be read: %w", parse.KeyName, parse.Value, parse.Err)
	}
	return err
}
