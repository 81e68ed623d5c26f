package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// judgeAddress judges the webhook URL without a request.
func (x *examination) judgeAddress() Finding {
	const check = "webhook URL"
	if x.Webhook.URL == "" {
		return warning(check, "not set: no webhook rule is registered, and changes are found by polling only", AddressMissing)
	}
	u, err := url.Parse(x.Webhook.URL)
	if err != nil {
		return failed(check, "not a valid URL", AddressMissing)
	}
	var found []string
	var codes []Code
	note := func(what string, code Code) { found, codes = append(found, what), append(codes, code) }
	if isPrivate(u.Hostname()) {
		note(u.Host+" is in this machine or a private network, which MK.IO cannot reach", AddressPrivate)
	}
	if u.Scheme != "https" {
		note("over http, anyone on the network path can read the secret", AddressPlain)
	}
	if x.MKIO.Token == "" {
		note("without an API token the webhook rule is neither registered nor checked: nothing is delivered to "+u.Host+" unless the rule was created by hand", AddressUnregistered)
	}
	if len(found) > 0 {
		return warning(check, strings.Join(found, "; "), codes...)
	}
	return ok(check, u.Host+"; only deliveries show whether MK.IO reaches it")
}

// isPrivate reports whether a host is a private address, or localhost. Names are not resolved.
func isPrivate(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsLinkLocalUnicast())
}

// checkTestDelivery sends an empty batch with the secret to the webhook URL, as MK.IO would send a delivery. A bridge stores
// nothing, and refuses it with the detail [ingest.EmptyBatch], which distinguishes it from any other server.
func (x *examination) checkTestDelivery(ctx context.Context) {
	const check = "delivery to the webhook URL"
	address, err := rule.Address(x.Webhook.URL)
	if err != nil {
		return // there is no webhook URL
	}
	if x.Webhook.ClientCerts {
		x.report(ok(check, "skipped: the listener requires a client certificate, which only senders have"))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	response, err := x.Webhook.postEmptyBatch(ctx, address)
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		x.report(failed(check, reason(err), CertificateUntrusted))
		return
	}
	if err != nil {
		x.report(warning(check, "cannot be reached from here: "+reason(err), AddressUnreachable))
		return
	}
	x.report(response.judge(check, address))
}

// A deliveryResponse is the response to the empty batch.
type deliveryResponse struct {
	status int
	detail string // of a problem document; "" for other bodies
}

// judge judges the response: a bridge that accepts the secret responds 400 with [ingest.EmptyBatch].
func (a deliveryResponse) judge(check, address string) Finding {
	found := fmt.Sprintf("an empty batch sent to %s was answered %d %s", address, a.status, http.StatusText(a.status))
	if a.detail != "" {
		found += ": " + printable.Name(a.detail)
	}
	switch {
	case a.status == http.StatusBadRequest && a.detail == ingest.EmptyBatch:
		return ok(check, found)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return failed(check, found, SecretRefused)
	case a.status == http.StatusNotFound:
		return failed(check, found, PathUnknown)
	case a.status/100 == 3:
		return failed(check, found, AddressRedirects)
	case a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable:
		return warning(check, found, BridgeNotReady)
	case a.status >= http.StatusInternalServerError:
		return failed(check, found, BridgeUnavailable)
	}
	return failed(check, found+"; a bridge of this version responds "+fmt.Sprintf("%d: %s", http.StatusBadRequest, ingest.EmptyBatch), NoBridge)
}

// maxResponse is how many bytes of a response are read: a bridge's problem documents are shorter.
const maxResponse = 4 << 10

// masked replaces the secret in a response that repeats it.
const masked = "[masked]"

// postEmptyBatch sends an empty batch once, and follows no redirect.
func (w Webhook) postEmptyBatch(ctx context.Context, address string) (deliveryResponse, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("[]"))
	if err != nil {
		return deliveryResponse{}, err
	}
	secret := w.Secret()
	request.Header.Set("Content-Type", "application/cloudevents-batch+json")
	request.Header.Set(rule.SecretHeader, secret)
	client := http.Client{Transport: w.Transport, CheckRedirect: noRedirects}
	response, err := client.Do(request)
	if err != nil {
		return deliveryResponse{}, err
	}
	defer response.Body.Close()
	var problem struct {
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err == nil {
		_ = json.Unmarshal(body, &problem) // other bodies have no detail
	}
	if problem.Detail != ingest.EmptyBatch { // another server may repeat the request
		problem.Detail = strings.ReplaceAll(problem.Detail, secret, masked)
	}
	return deliveryResponse{response.StatusCode, problem.Detail}, nil
}

// noRedirects is a CheckRedirect that follows none: a redirect is judged as a response.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
