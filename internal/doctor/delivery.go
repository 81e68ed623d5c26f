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

// judgeAddress judges the webhook's address without a request.
func (x *examination) judgeAddress() Finding {
	const check = "webhook URL"
	if x.Webhook.URL == "" {
		return warning(check, "there is none: no webhook rule is registered, and changes are found by polling alone", AddressMissing)
	}
	u, err := url.Parse(x.Webhook.URL)
	if err != nil {
		return failed(check, "it cannot be read", AddressMissing)
	}
	var found []string
	var codes []Code
	note := func(what string, code Code) { found, codes = append(found, what), append(codes, code) }
	if private(u.Hostname()) {
		note(u.Host+" is an address of this machine or network, which MK.IO in the cloud cannot reach", AddressPrivate)
	}
	if u.Scheme != "https" {
		note("over http anybody on the way can read the secret", AddressPlain)
	}
	if x.MKIO.Token == "" {
		note("without an API token the webhook rule is neither registered nor checked, so that nothing is delivered to "+u.Host+" where nobody made the rule by hand", AddressUnattended)
	}
	if len(found) > 0 {
		return warning(check, strings.Join(found, "; "), codes...)
	}
	return ok(check, u.Host+"; whether MK.IO reaches it, only its deliveries tell")
}

// private says whether a host is not public by its text alone; no name is resolved.
func private(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsLinkLocalUnicast())
}

// checkArrival sends an empty batch with the secret to the webhook's address, as MK.IO would send a delivery. A bridge
// stores nothing of it, and refuses it in words ([ingest.EmptyBatch]) by which it is told from any other server.
func (x *examination) checkArrival(ctx context.Context) {
	const check = "delivery to the webhook URL"
	address, err := rule.Address(x.Webhook.URL)
	if err != nil {
		return // there is none
	}
	if x.Webhook.ClientCerts {
		x.report(ok(check, "not tried: the listener asks for a client certificate, which only senders have"))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	answer, err := x.Webhook.postEmptyBatch(ctx, address)
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		x.report(failed(check, reason(err), CertificateUntrusted))
		return
	}
	if err != nil {
		x.report(warning(check, "the address cannot be reached from here: "+reason(err), AddressUnreachable))
		return
	}
	x.report(answer.judge(check, address))
}

// An answer is what the server at the webhook's address answered to an empty batch.
type answer struct {
	status int
	detail string // of a problem document; "" where it is none
}

// judge says what the answer means: 400 with [ingest.EmptyBatch] is that of a bridge which accepts the secret.
func (a answer) judge(check, address string) Finding {
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
		return failed(check, found, AddressElsewhere)
	case a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable:
		return warning(check, found, BridgeUnready)
	case a.status >= http.StatusInternalServerError:
		return failed(check, found, BridgeAway)
	}
	return failed(check, found+"; a bridge of this version answers "+fmt.Sprintf("%d: %s", http.StatusBadRequest, ingest.EmptyBatch), NoBridge)
}

// maxDetail is how much of an answer is read: a bridge's problem documents are shorter.
const maxDetail = 4 << 10

// masked replaces the secret in an answer that repeats it.
const masked = "[masked]"

// postEmptyBatch sends an empty batch once, and follows no redirect.
func (w Webhook) postEmptyBatch(ctx context.Context, address string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("[]"))
	if err != nil {
		return answer{}, err
	}
	secret := w.Secret()
	request.Header.Set("Content-Type", "application/cloudevents-batch+json")
	request.Header.Set(rule.SecretHeader, secret)
	client := http.Client{Transport: w.Way, CheckRedirect: noRedirects}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	var problem struct {
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDetail))
	if err == nil {
		_ = json.Unmarshal(body, &problem) // what is no problem document has no detail
	}
	if problem.Detail != ingest.EmptyBatch { // another server may repeat what was sent
		problem.Detail = strings.ReplaceAll(problem.Detail, secret, masked)
	}
	return answer{response.StatusCode, problem.Detail}, nil
}

// noRedirects is a CheckRedirect that follows none: a redirect is an answer to judge.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
