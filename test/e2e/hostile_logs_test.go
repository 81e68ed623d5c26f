//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// forgery would inject lines into a log of either format and clear a terminal if it were logged verbatim.
const forgery = "x\n{\"time\":\"2031-03-04T10:00:00Z\",\"level\":\"ERROR\",\"msg\":\"forged\"}\r\n" +
	"time=2031-03-04T10:00:00Z level=ERROR msg=forged\r\x1b[2J\x1b]0;forged\x07\u2028\x00\",\"msg\":\"forged\" msg=forged"

// forgeries returns requests with the forgery in every part of a request that can carry it.
func forgeries(t *testing.T) []string {
	t.Helper()
	encoded := url.QueryEscape(forgery)
	line := strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(forgery)
	const end = "Connection: close\r\n"
	in := func(attribute string) []byte {
		return bridgetest.JobDelivery(t, "forged", "Finished", func(d map[string]any) { d[attribute] = forgery })
	}
	text := bridgetest.RawDelivery(secret, end, []byte(forgery))
	raw := []string{
		text,
		bridgetest.RawDelivery(secret, end, in("id")), bridgetest.RawDelivery(secret, end, in("type")), bridgetest.RawDelivery(secret, end, in("source")), bridgetest.RawDelivery(secret, end, in("time")), bridgetest.RawDelivery(secret, end, in("specversion")),
		bridgetest.RawDelivery(secret, end, bridgetest.JobDelivery(t, url.PathEscape("a"+strings.ReplaceAll(forgery, "/", "")), forgery, nil)),
		bridgetest.RawDelivery(secret, end, bridgetest.JobDelivery(t, "b", "Finished", func(d map[string]any) { d["data"].(map[string]any)["projectName"] = forgery })),
		bridgetest.RawDelivery(secret, end+"X-Forged: "+line+"\r\n", []byte("{}")), bridgetest.RawDelivery(secret, end+"X-Forged: a\r\n"+forgery+"\r\n", []byte("{}")),
		bridgetest.RawDelivery(secret, end+"Content-Encoding: "+encoded+"\r\n", nil),
		strings.Replace(text, "application/json", encoded, 1), strings.Replace(text, "application/json", line, 1),
		strings.Replace(text, webhookPath, "/"+encoded, 1), strings.Replace(text, webhookPath, webhookPath+"?"+encoded, 1), strings.Replace(text, webhookPath, webhookPath+"?"+line, 1),
		strings.Replace(text, "POST", encoded, 1), strings.Replace(text, "POST", line, 1), strings.Replace(text, "HTTP/1.1", line, 1),
		strings.Replace(text, "Host: bridge", "Host: "+encoded, 1), strings.Replace(text, secret, encoded, 1),
		"OPTIONS " + webhookPath + " HTTP/1.1\r\nHost: x\r\n" + end + "WebHook-Request-Origin: " + encoded + "\r\n\r\n",
		forgery + "\r\n\r\n",
	}
	for _, r := range raw[:8] { // a batch is parsed separately
		_, body, _ := strings.Cut(r, "\r\n\r\n")
		raw = append(raw, bridgetest.RawDelivery(secret, end, []byte("["+body+"]")))
	}
	return raw
}

// refusingAPI starts a MK.IO whose error responses contain the forgery.
func refusingAPI(t *testing.T) string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"error":{"code":%q,"detail":%q},"ref":%q}`, "forged", strings.NewReplacer("\x00", "", "\a", "", "\x1b", "").Replace(forgery), forgery[:1])
	}))
	t.Cleanup(api.Close)
	return api.URL
}

func TestLogLinesCannotBeForged(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_LOG_LEVEL=debug", "BRIDGE_LOG_FORMAT="+format,
				"BRIDGE_MKIO_URL="+refusingAPI(t), "BRIDGE_MKIO_TOKEN="+token, "BRIDGE_PROJECTS=aurora-vod")
			for _, raw := range forgeries(t) {
				if responses := bridgetest.SendRaw(t, p.WebhookAddr(), raw); bridgetest.StatusOf(responses) == 0 {
					t.Errorf("%.100q: response %q", raw, responses)
				}
			}
			p.StopGracefully()
			mentions := 0
			lines := strings.Split(strings.TrimSuffix(p.Log.String(), "\n"), "\n")
			for _, line := range lines {
				parsed := bridgetest.ParseLine(line)
				if parsed == nil || (format == "json") != (line[0] == '{') || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == '\u2028' }) {
					t.Errorf("malformed log line %q", line)
				}
				if parsed["msg"] == "forged" {
					t.Errorf("forged log line: %s", line)
				}
				if strings.Contains(line, "forged") {
					mentions++
				}
			}
			if mentions < 5 {
				t.Errorf("only %d of %d lines mention a forgery", mentions, len(lines))
			}
		})
	}
}

// A secret in a request's URL appears in no response, log line or stored message.
func TestSecretsInURLsAreNotExposed(t *testing.T) {
	const right, wrong, inSource = "hunter2-right", "hunter2-wrong", "hunter2-source"
	p := bridgetest.StartBridge(t, "BRIDGE_WEBHOOK_SECRETS="+right, "BRIDGE_LOG_LEVEL=debug")
	source := func(path string) func(map[string]any) {
		return func(d map[string]any) {
			d["source"] = "https://me:" + inSource + "@app.mk.io" + path + "?access_token=" + inSource + "#" + inSource
			d["access_token"], d["authorization"] = inSource, "Bearer "+inSource
			d["data"].(map[string]any)["resource"] = map[string]any{"properties": map[string]any{"note": "https://x/?sig=" + inSource, "accessToken": inSource}}
		}
	}
	bodies := []string{
		string(bridgetest.JobDelivery(t, "a", "Finished", source("/api/v1/projects/aurora-vod/media/transforms/t/jobs/a"))),
		string(bridgetest.JobDelivery(t, "b", "Finished", source("/api/v1/projects/aurora-vod/fridges/b"))),
		string(bridgetest.JobDelivery(t, "c", "Finished", source("/%zz"))),
		`{"access_token":"` + inSource + `"}`, "no JSON",
	}
	var outputs []string
	for _, target := range []string{webhookPath, "/", webhookPath + "/", "http://x" + webhookPath, "*"} {
		for _, query := range []string{"?access_token=" + right, "?access_token=" + wrong, "?a;access_token=" + right, "?%zz&access_token=" + wrong, "?access_token=" + right + "&access_token=" + wrong, "?access_token=" + right + " x"} {
			for _, body := range bodies {
				raw := fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nReferer: https://x/%s\r\nContent-Length: %d\r\n\r\n%s", target, query, query, len(body), body)
				for _, r := range []string{raw, strings.Replace(raw, "POST", "GET", 1), strings.Replace(raw, "POST", "OPTIONS", 1)} {
					outputs = append(outputs, bridgetest.SendRaw(t, p.WebhookAddr(), r))
				}
			}
		}
	}
	outputs = append(outputs, p.MustGet("/metrics"), p.MustGet("/v1/resources"))
	outputs = append(outputs, stored(t, p)...)
	if !slices.ContainsFunc(outputs, func(s string) bool { return strings.Contains(s, `"name":"a"`) }) {
		t.Error("no delivery was accepted")
	}
	p.StopGracefully()
	for _, text := range append(outputs, strings.Split(p.Log.String(), "\n")...) {
		if strings.Contains(text, "hunter2") {
			t.Errorf("a secret is exposed: %s", text)
		}
	}
}

// stored returns the log and the unapplied deliveries, with their headers.
func stored(t *testing.T, p *bridgetest.Bridge) (all []string) {
	t.Helper()
	log := eventlog.New(jetStream(t, p), event.NewNames(event.DefaultPrefix))
	for e, err := range log.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Subject+string(e.Payload)+fmt.Sprint(e.Fact))
	}
	unapplied := 0
	for k, err := range log.Unapplied(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%+v %s", k, k.Body))
		unapplied++
	}
	if unapplied < 3 {
		t.Errorf("only %d deliveries are unapplied", unapplied)
	}
	return all
}
