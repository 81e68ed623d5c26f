package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/rule"
)

// validate checks settings that were parsed, alone and against each other. Its error joins all mistakes.
func (c config) validate() error {
	var m mistakes
	c.checkListeners(m.add)
	c.checkNATS(m.add)
	c.checkMKIO(m.add)
	c.checkWebhookRule(m.add)
	c.checkStreams(m.add)
	c.checkPolling(m.add)
	c.checkContents(m.add)
	c.checkLimits(m.add)
	return errors.Join(m...)
}

// mistakes are the errors of the settings.
type mistakes []error

// add adds a mistake of a setting. Its name is given without the prefix.
func (m *mistakes) add(name, format string, args ...any) {
	*m = append(*m, fmt.Errorf("%s_%s: %s", prefix, name, fmt.Sprintf(format, args...)))
}

// A report adds a mistake, as [mistakes.add] does.
type report func(name, format string, args ...any)

// checkListeners checks addresses, and that what is reachable from outside is authenticated.
func (c config) checkListeners(bad report) {
	_, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		bad("LISTEN", "%q must be host:port, e.g. 127.0.0.1:8080", c.Listen)
	}
	if err == nil && !loopback(c.Listen) && len(c.WebhookSecrets.all()) == 0 {
		bad("LISTEN", "%s is reachable from outside, and without a secret anyone could forge events: set BRIDGE_WEBHOOK_SECRETS, or listen on loopback", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.AdminListen); err != nil {
		bad("ADMIN_LISTEN", "%q must be host:port, e.g. 127.0.0.1:9090", c.AdminListen)
	}
	if token := c.ViewerToken.value(); token != "" && token == c.AdminToken.value() {
		bad("VIEWER_TOKEN", "is also BRIDGE_ADMIN_TOKEN, so that viewers could change things: set another one")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		bad("TLS_CERT", "a certificate needs its key: set both BRIDGE_TLS_CERT and BRIDGE_TLS_KEY")
	}
	if c.TLSClientCA != "" && c.TLSCert == "" {
		bad("TLS_CLIENT_CA", "client certificates need TLS: set BRIDGE_TLS_CERT and BRIDGE_TLS_KEY too")
	}
}

// checkNATS checks where the log is stored.
func (c config) checkNATS(bad report) {
	if c.StoreDir == "" && c.NatsURL == "" {
		bad("STORE_DIR", "must not be empty: the embedded server stores the log there")
	}
	if _, _, err := net.SplitHostPort(c.NatsListen); err != nil && c.NatsListen != "" {
		bad("NATS_LISTEN", "%q must be host:port, e.g. 127.0.0.1:4222", c.NatsListen)
	}
	if c.NatsURL == "" && c.NatsTLSFirst {
		bad("NATS_TLS_FIRST", "the embedded server has no TLS: set BRIDGE_NATS_URL too, or unset it")
	}
	if c.NatsURL == "" && c.NatsDomain != "" {
		bad("NATS_DOMAIN", "the embedded server has no domain: set BRIDGE_NATS_URL too, or unset it")
	}
	if strings.ContainsAny(c.NatsDomain, " \t\r\n.*>") {
		bad("NATS_DOMAIN", "%q must be a domain name: one token without blanks, dots, * and >", c.NatsDomain)
	}
}

// checkMKIO checks which MK.IO the log belongs to.
func (c config) checkMKIO(bad report) {
	if u, err := url.Parse(c.MkioURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		bad("MKIO_URL", "must be an http or https URL without user, query and fragment, e.g. https://app.mk.io")
	}
	if a := c.claim().Adopt; a != identity.AdoptNothing && a != identity.AdoptAddress && a != identity.AdoptAll {
		bad("MKIO_ADOPT", "%q must be address or all, or unset", c.MkioAdopt)
	}
}

// checkWebhookRule checks the settings of the webhook rule.
func (c config) checkWebhookRule(bad report) {
	if c.WebhookURL != "" {
		if _, err := rule.Address(c.WebhookURL); err != nil {
			bad("WEBHOOK_URL", "%v", err)
		}
		if len(c.WebhookSecrets.all()) == 0 {
			bad("WEBHOOK_URL", "the rule needs a secret, or anyone could forge events: set BRIDGE_WEBHOOK_SECRETS")
		}
	}
	if c.WebhookRule == "" {
		bad("WEBHOOK_RULE", "must not be empty: name the rule, or unset it for the default")
	}
}

// checkStreams checks the settings of the streams.
func (c config) checkStreams(bad report) {
	if !event.ValidPrefix(c.SubjectPrefix) {
		bad("SUBJECT_PREFIX", "%q must be one token of 1 to 64 letters, digits, _ and -", c.SubjectPrefix)
	}
	if c.StreamManage != "create" && c.StreamManage != "verify" {
		bad("STREAM_MANAGE", "%q must be create or verify", c.StreamManage)
	}
	if c.StreamReplicas < 1 || c.StreamReplicas > 5 {
		bad("STREAM_REPLICAS", "%d must be 1 to 5", c.StreamReplicas)
	}
	if c.StreamMaxBytes != 0 && c.StreamMaxBytes < minStreamSize {
		bad("STREAM_MAX_BYTES", "%s must be 0, or %s or more", c.StreamMaxBytes, minStreamSize)
	}
	if c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < time.Minute {
		bad("MAX_AGE", "%s must be 0, or a minute or more", c.MaxAge)
	}
}

// checkPolling checks what is polled, and how often.
func (c config) checkPolling(bad report) {
	if c.PollRate < 20 || c.PollRate > 100_000 {
		bad("POLL_RATE", "%d must be from 20 to 100000 requests a minute", c.PollRate)
	}
	if c.PollActive < 100*time.Millisecond || c.PollSweep < c.PollActive || c.PollFull < c.PollSweep {
		bad("POLL_ACTIVE", "%s must be at least 100ms and at most BRIDGE_POLL_SWEEP (%s), which must be at most BRIDGE_POLL_FULL (%s)", c.PollActive, c.PollSweep, c.PollFull)
	}
	if c.DeletePatience < 0 {
		bad("DELETE_PATIENCE", "%s must not be negative", c.DeletePatience)
	}
	for _, child := range c.Kinds {
		parents := mkio.ParentKinds(child)
		if len(parents) > 0 && !slices.ContainsFunc(parents, func(k lifecycle.Kind) bool { return slices.Contains(c.Kinds, k) }) {
			bad("KINDS", "%s is only found through its parents: add %s", child, kinds(parents))
		}
	}
}

// checkContents checks which parts of a record go into events.
func (c config) checkContents(bad report) {
	if _, err := mkio.ParseResourcePolicy(c.Resource); err != nil {
		bad("RESOURCE", "%q must be full, redacted or none", c.Resource)
	}
	if _, err := mkio.ParseCorrelationPolicy(c.Correlation); err != nil {
		bad("CORRELATION", "%q must be full, redacted or none", c.Correlation)
	}
}

// checkLimits checks request limits and the log format.
func (c config) checkLimits(bad report) {
	if c.MaxBody < 1<<10 || c.MaxBody > 1<<30 {
		bad("MAX_BODY", "%s must be from 1KiB to 1GiB", c.MaxBody)
	}
	if c.IdleTimeout < time.Second || c.IdleTimeout > 24*time.Hour {
		bad("IDLE_TIMEOUT", "%s must be from 1s to 24h", c.IdleTimeout)
	}
	if c.LogFormat != "" && c.LogFormat != "text" && c.LogFormat != "json" {
		bad("LOG_FORMAT", "%q must be text or json", c.LogFormat)
	}
}

// loopback reports whether only this machine can reach an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
