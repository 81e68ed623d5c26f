package notify

import (
	"errors"
	"os"
)

// A TargetConfig is a target of the rules file: exactly one of its members is set, which the schema ensures.
type TargetConfig struct {
	Webhook *WebhookConfig `json:"webhook"`
	Service *ServiceConfig `json:"service"`
}

// A WebhookConfig is a CloudEvents webhook.
type WebhookConfig struct {
	URL            string `json:"url"` // only an address that is no secret
	URLFile        string `json:"urlFile"`
	URLEnv         string `json:"urlEnv"`
	Mode           string `json:"mode"`      // ModeStructured, the default, or ModeBinary
	TokenFile      string `json:"tokenFile"` // bearer token
	TokenEnv       string `json:"tokenEnv"`
	SigningKeyFile string `json:"signingKeyFile"` // keys of Standard Webhooks, whsec_…
	SigningKeyEnv  string `json:"signingKeyEnv"`
	Origin         string `json:"origin"` // the name under which the handshake asks the receiver for permission; empty: no handshake
	Rate           int    `json:"rate"`   // requests per minute that the handshake asks for; 0: as many as the receiver likes
	CAFile         string `json:"caFile"` // certificates that are trusted besides the system's
}

// Modes of [WebhookConfig].
const (
	ModeStructured = "structured"
	ModeBinary     = "binary"
)

// A ServiceConfig is a notification service, by its service URL.
type ServiceConfig struct {
	URLFile string            `json:"urlFile"`
	URLEnv  string            `json:"urlEnv"`
	Params  map[string]string `json:"params"` // options that are added to the query of the URL, and are no secrets
}

// Open opens a target. It reads the secrets, to report what is wrong with them; the target reads them again for each message,
// so that a rotated secret needs no reload of the rules. Its errors hold no secret.
func (c TargetConfig) Open() (Target, error) {
	switch {
	case c.Webhook != nil && c.Service != nil:
		return nil, errors.New("the target has both webhook and service: leave one")
	case c.Webhook != nil:
		return newWebhook(*c.Webhook, os.Getenv)
	case c.Service != nil:
		return newService(*c.Service, os.Getenv)
	}
	return nil, errors.New("the target has neither webhook nor service: set one")
}
