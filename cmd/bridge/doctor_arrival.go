package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// checkArrival sends an empty batch with the secret to the webhook's address, as MK.IO would send a delivery. A bridge
// stores nothing of it, and its answer tells it from whatever else may answer there.
func (d *doctor) checkArrival(ctx context.Context) {
	const check = "delivery to the webhook URL"
	address, err := rule.Address(d.conf.WebhookURL)
	if err != nil {
		return // none is configured
	}
	if d.conf.TLSClientCA != "" {
		d.ok(check, "not tried: the listener asks for a client certificate, which only senders have")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	status, detail, err := postEmptyBatch(ctx, address, d.conf.currentSecret())
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		d.fail(check, reason(err), "give the address a certificate that MK.IO trusts, of a public authority and for this host")
		return
	}
	if err != nil {
		d.warn(check, "the address cannot be reached from here: "+reason(err), "see name resolution, firewall and what stands in front of the bridge; only MK.IO must reach the address, and its deliveries tell whether it does")
		return
	}
	d.judgeArrival(check, address, status, detail)
}

// judgeArrival says what the answer to an empty batch means.
func (d *doctor) judgeArrival(check, address string, status int, detail string) {
	found := fmt.Sprintf("an empty batch sent to %s was answered %d %s", address, status, http.StatusText(status))
	if detail != "" {
		found += ": " + printable.Name(detail)
	}
	switch {
	case status == http.StatusBadRequest && detail == ingest.EmptyBatch:
		d.ok(check, found)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.fail(check, found, "the bridge that answers there has other secrets, or what stands before it wants others: give both the same BRIDGE_WEBHOOK_SECRETS, or set BRIDGE_WEBHOOK_URL to this bridge")
	case status == http.StatusNotFound:
		d.fail(check, found, "correct the path of BRIDGE_WEBHOOK_URL, or have the proxy in front pass requests on to "+webhookPath+" of the bridge")
	case status/100 == 3:
		d.fail(check, found, "set BRIDGE_WEBHOOK_URL to where it leads: deliveries are not sent on")
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		d.warn(check, found, "see the bridge's /readyz and log; deliveries come again")
	case status >= http.StatusInternalServerError:
		d.fail(check, found, "see that the bridge runs, and that the proxy in front reaches it")
	default:
		d.fail(check, found+"; a bridge of this version answers "+fmt.Sprintf("%d: %s", http.StatusBadRequest, ingest.EmptyBatch),
			"see that the bridge, and of this version, answers at BRIDGE_WEBHOOK_URL, and that the proxy in front passes on body and headers as they are")
	}
}

// maxDetail is how much of an answer is read: a bridge's problem documents are shorter.
const maxDetail = 4 << 10

// postEmptyBatch returns the status of the answer, and the detail of a problem document.
func postEmptyBatch(ctx context.Context, address, secret string) (status int, detail string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("[]"))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/cloudevents-batch+json")
	request.Header.Set(rule.SecretHeader, secret)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	var problem struct {
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDetail))
	if err == nil {
		_ = json.Unmarshal(body, &problem) // what is no problem document has no detail
	}
	if problem.Detail != ingest.EmptyBatch { // somebody else may repeat what was sent
		problem.Detail = strings.ReplaceAll(problem.Detail, secret, masked)
	}
	return response.StatusCode, problem.Detail, nil
}
