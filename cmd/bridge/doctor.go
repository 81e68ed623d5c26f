package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"mkio-bridge/internal/noanswer"
)

// checkTime is how long the doctor waits for one answer.
const checkTime = 20 * time.Second

// A grade says how bad a finding is.
type grade string

// The grades. Only what failed makes the doctor's exit code 1.
const (
	gradeOK      grade = "ok"
	gradeWarning grade = "warning"
	gradeFailed  grade = "FAILED"
)

// A finding is what one check found.
type finding struct {
	Check string `json:"check"`
	Grade grade  `json:"grade"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"`
}

// A doctor checks an installation from the outside in: the configuration, NATS, MK.IO's API, each project. Where
// a check fails on which others stand, those are not made. It changes nothing.
type doctor struct {
	call   *call
	conf   config
	output string

	checks, failed int
	broken         error // why findings can be written no longer
}

func runDoctor(ctx context.Context, c *call) error {
	d := &doctor{call: c}
	set := c.flags()
	outputFlag(set, &d.output, "one object a line")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	d.examine(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.broken != nil:
		return d.broken
	case d.failed > 0:
		return fmt.Errorf("%d of %d checks FAILED", d.failed, d.checks)
	}
	return nil
}

func (d *doctor) examine(ctx context.Context) {
	var err error
	if d.conf, err = loadConfig(); err != nil {
		for line := range strings.Lines(err.Error()) {
			d.fail("configuration", strings.TrimSpace(line), "correct it; bridge config -h tells what each setting means")
		}
		return
	}
	d.checkConfiguration()
	d.checkSecrets()
	d.checkArrival(ctx)
	nc, js := d.checkNATS(ctx)
	if nc != nil {
		defer nc.Close()
	}
	d.checkMKIO(ctx, js)
}

func (d *doctor) checkConfiguration() {
	d.ok("configuration", "it can be read, and its parts fit")
	d.checkWrappedSecrets()
	if len(d.conf.WebhookSecrets.all()) == 0 {
		d.warn("webhook secret", "there is none: whoever reaches "+d.conf.Listen+" can make up events", "set BRIDGE_WEBHOOK_SECRETS")
	}
	d.checkWebhookURL()
}

// checkWebhookURL checks what can be seen of the webhook's address without a request.
func (d *doctor) checkWebhookURL() {
	const check = "webhook URL"
	if d.conf.WebhookURL == "" {
		d.warn(check, "there is none: no webhook rule is registered, and changes are found by polling alone", "set BRIDGE_WEBHOOK_URL to the address at which MK.IO reaches this bridge")
		return
	}
	u, err := url.Parse(d.conf.WebhookURL)
	if err != nil { // loadConfig has read it
		return
	}
	var found, do []string
	note := func(what, advice string) { found, do = append(found, what), append(do, advice) }
	if private(u.Hostname()) {
		note(u.Host+" is an address of this machine or network, which MK.IO in the cloud cannot reach", "set BRIDGE_WEBHOOK_URL to a public address")
	}
	if u.Scheme != "https" {
		note("over http anybody on the way can read the secret", "put TLS in front, or set BRIDGE_TLS_CERT and BRIDGE_TLS_KEY, and give an https address")
	}
	if !d.conf.polls() {
		note("without an API token the webhook rule is neither registered nor checked, so that nothing is delivered to "+u.Host+" where nobody made the rule by hand",
			"set BRIDGE_MKIO_TOKEN, or see in MK.IO that each project has a rule that delivers there")
	}
	if len(found) > 0 {
		d.warn(check, strings.Join(found, "; "), strings.Join(do, "; "))
		return
	}
	d.ok(check, u.Host+"; whether MK.IO reaches it, only its deliveries tell")
}

// private says whether a host can be seen not to be public.
func private(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsLinkLocalUnicast())
}

func (d *doctor) ok(check, found string)       { d.say(finding{check, gradeOK, found, ""}) }
func (d *doctor) warn(check, found, do string) { d.say(finding{check, gradeWarning, found, do}) }
func (d *doctor) fail(check, found, do string) { d.say(finding{check, gradeFailed, found, do}) }

// say writes a finding at once: the next one may take a while.
func (d *doctor) say(f finding) {
	d.checks++
	if f.Grade == gradeFailed {
		d.failed++
	}
	var err error
	if d.output == "json" {
		encoder := json.NewEncoder(d.call.stdout)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(f)
	} else {
		_, err = io.WriteString(d.call.stdout, f.line())
	}
	if d.broken == nil {
		d.broken = err
	}
}

// line is a finding for people.
func (f finding) line() string {
	text := fmt.Sprintf("%-8s %s: %s", f.Grade, f.Check, f.Found)
	if f.Do != "" {
		text += "\n         → " + f.Do
	}
	return text + "\n"
}

// reason words an error for a finding.
func reason(err error) string {
	if _, known := errors.AsType[*noanswer.Error](err); known {
		return err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
