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

// prefix is the first word of every variable of the bridge. Code that computes names uses it; texts spell names out, so that
// they can be grepped.
const prefix = "BRIDGE"

// config is every setting of the bridge. The desc tags are the manual: the table in docs/configuration.md and `mkio-bridge config --help`
// are generated from them. A secret can also come from a file, named by its variable with _FILE added; the file is reloaded when
// it changes.
type config struct {
	Listen         string `split_words:"true" default:"127.0.0.1:8080" desc:"webhook listener; any address but loopback needs a secret"`
	AdminListen    string `split_words:"true" default:"127.0.0.1:9090" desc:"admin listener: health, metrics, schemas, /v1"`
	TLSCert        string `split_words:"true" desc:"certificate file of the webhook listener, reloaded when it changes"`
	TLSKey         string `split_words:"true" desc:"key file of the webhook listener"`
	TLSClientCA    string `split_words:"true" desc:"CA certificates file for client certificates, reloaded when it changes: clients of the webhook listener then need a certificate signed by one of them, in addition to the secret"`
	WebhookSecrets secret `split_words:"true" desc:"secrets that authenticate deliveries, comma-separated; the first is current"`
	AdminToken     secret `split_words:"true" desc:"bearer token of /v1; without it and BRIDGE_VIEWER_TOKEN, /v1 is served on loopback only"`
	ViewerToken    secret `split_words:"true" desc:"bearer token of /v1 for reading only"`

	MkioURL     string        `split_words:"true" default:"https://app.mk.io" desc:"base URL of MK.IO's API and of the events' sources; the bridge refuses to start with another URL than the log's"`
	MkioAdopt   string        `split_words:"true" desc:"continue with the log of another MK.IO: address (the same MK.IO under a new address) or all (adopt the MK.IO at this URL; recorded resources that it does not have become Deleted); unset it after that start"`
	MkioCA      string        `split_words:"true" desc:"CA certificates file for MK.IO, or for a proxy in front of it, in addition to the system's; read at start"`
	MkioToken   secret        `split_words:"true" desc:"API token; without it nothing is polled"`
	Projects    list          `split_words:"true" desc:"projects to sweep and to accept deliveries for, comma-separated; empty: all that the token can see"`
	Kinds       kinds         `desc:"kinds to poll, comma-separated; empty: all but storage, source, content, destination"`
	PollRate    int           `split_words:"true" default:"1000" desc:"maximum requests per minute to MK.IO, for each project"`
	PollActive  time.Duration `split_words:"true" default:"5s" desc:"interval of polling a resource in motion"`
	PollSweep   time.Duration `split_words:"true" default:"1m" desc:"interval of delta sweeps, which list what changed since the last sweep"`
	PollFull    time.Duration `split_words:"true" default:"1h" desc:"interval of full sweeps, which find deletions and changes that delta sweeps cannot see"`
	WebhookURL  string        `split_words:"true" desc:"public URL of this bridge, without a path or with one that ends in /webhooks/mkio; when set, the bridge registers and updates the webhook rule in each project"`
	WebhookRule string        `split_words:"true" default:"mkio-bridge" desc:"name of the webhook rule"`
	// Many deletions at once may be an outage in which MK.IO responds 404.
	DeletePatience time.Duration `split_words:"true" default:"15m" desc:"how long deletions wait to be confirmed again when a sweep finds more than 20 resources of a kind gone, and more than a fifth of the existing ones; 0: they do not wait"`

	NatsURL      servers `split_words:"true" desc:"NATS servers, comma-separated; empty: an embedded server"`
	NatsCreds    string  `split_words:"true" desc:"NATS credentials file"`
	NatsNkey     string  `split_words:"true" desc:"NATS nkey seed file"`
	NatsUser     string  `split_words:"true" desc:"NATS user"`
	NatsPassword secret  `split_words:"true" desc:"NATS password"`
	NatsToken    secret  `split_words:"true" desc:"NATS token"`
	NatsTLSCa    string  `split_words:"true" desc:"CA certificates file for the NATS servers"`
	NatsTLSCert  string  `split_words:"true" desc:"client certificate file for NATS"`
	NatsTLSKey   string  `split_words:"true" desc:"client key file for NATS"`
	NatsTLSFirst bool    `split_words:"true" default:"false" desc:"TLS handshake before the NATS protocol, for NATS servers with handshake_first"`
	NatsDomain   string  `split_words:"true" desc:"JetStream domain of the streams; empty: that of the servers in BRIDGE_NATS_URL"`

	NatsListen      string   `split_words:"true" default:"127.0.0.1:4222" desc:"embedded server: client port for readers; empty: none"`
	NatsReaderToken secret   `split_words:"true" desc:"embedded server: token that readers must send; without one, anyone who can reach the port may read"`
	StoreDir        string   `split_words:"true" default:"./data" desc:"embedded server: directory of the store"`
	Sync            syncMode `default:"always" desc:"embedded server: always (an acknowledged event is on disk) or an interval such as 2s"`

	StreamReplicas int           `split_words:"true" default:"1" desc:"replicas of the streams when the bridge creates them"`
	StreamManage   string        `split_words:"true" default:"create" desc:"create: create missing streams; verify: only check them"`
	MaxAge         time.Duration `split_words:"true" default:"0" desc:"age limit of the event log when the bridge creates it; 0: none"`
	StreamMaxBytes byteSize      `split_words:"true" default:"0" desc:"size limit of each stream and bucket when the bridge creates it, for accounts that require one, e.g. 1GiB; 0: none"`
	SubjectPrefix  string        `split_words:"true" default:"mkio" desc:"first token of all subjects, and of the names of streams and buckets"`

	Progress    bool     `default:"true" desc:"store how far running jobs are in a bucket of their own, from what is polled anyway"`
	Resource    string   `default:"redacted" desc:"MK.IO's record in an event: full, redacted or none"`
	Correlation string   `default:"full" desc:"your correlation data in an event, its record included: full, redacted or none"`
	MaxBody     byteSize `split_words:"true" default:"4MiB" desc:"maximum body size of a webhook request"`

	IdleTimeout time.Duration `split_words:"true" default:"120s" desc:"how long an idle keep-alive connection of the webhook listener stays open; set it above your load balancer's idle timeout, or deliveries may be sent on a closing connection"`

	LogLevel  logLevel `split_words:"true" default:"info" desc:"debug, info, warn or error at start; PUT /v1/log-level changes it at run time"`
	LogFormat string   `split_words:"true" desc:"text or json; empty: text on a terminal, else json"`
	Console   bool     `default:"true" desc:"serve the web console under /console/ of the admin listener"`
	Pprof     bool     `default:"false" desc:"serve Go profiles under /debug/pprof/ of the admin listener, to clients with the admin token"`

	// Set by tests and the demo; nil: the network. Settings come first, because config.settings pairs fields with names by
	// index.
	transport http.RoundTripper // to MK.IO
	dialer    nats.CustomDialer // to NATS

	tracer tracing.Tracer // configured by OpenTelemetry's own variables
}

// minStreamSize is the minimum size limit of a stream: an event can be as large as a NATS message.
const minStreamSize byteSize = 1 << 20

// loadConfig reads the environment. Its error lists every mistake with its variable, and never the value of a secret.
func loadConfig() (config, error) {
	var c config
	if err := checkNames(os.Environ(), variables()); err != nil {
		return c, err
	}
	if err := envconfig.Process(prefix, &c); err != nil {
		return c, explainParseError(err)
	}
	if err := c.resolveSecrets(os.LookupEnv); err != nil {
		return c, err
	}
	return c, c.validate()
}

// explainParseError names the wrong variable, without envconfig's own wording.
func explainParseError(err error) error {
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		if parse.Value == "" {
			return fmt.Errorf("%s is set, but empty: unset it for its default", parse.KeyName)
		}
		return fmt.Errorf("%s: invalid value %q: %w", parse.KeyName, parse.Value, parse.Err)
	}
	return err
}
