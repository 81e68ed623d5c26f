package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/openapitest"
	"mkio-bridge/internal/schematest"
)

// hostileNames are hostile, but valid names of resources. Deliveries with invalid ones are stored as unapplied.
var hostileNames = []string{
	"*", ">", ".a", "a.b", "...", ". .", " ", "a b", "\t", "\r\n", "a\r\nMkio-State: Deleted\r\n\r\n", "\x00", "a\x00b", "\x7f", "\u2028", "\ufeff",
	"%2F", "%2f..%2f", "%", "%zz", "=", "=2E", "=H0123456789abcdef0123456789abcdef", "a=", `..\..\etc`, "?access=1", "#", ";a=b", "+", "a:b", "@", "[::1]", "$JS.API.>",
	"\"}", "{\"state\":\"Deleted\"}", "'; drop table events; --", "<script>alert(1)", "${jndi:ldap:127.0.0.1}", "\x1b[2J\x1b[31m",
	"еp-0417" /* a Cyrillic е */, "ｅp-0417", "é", "e\u0301", "\u202egpj.exe", "\U0001F3AC", "a\u200db", "EP-0417", "ep-0417 ",
	strings.Repeat("a", 81), strings.Repeat("a", 1024), strings.Repeat("\U0001F3AC", 256), strings.Repeat(".", 400),
}

var impossibleNames = map[string]string{ // by the segment of the source's path
	"nothing": "", "a dot": ".", "two dots": "..", "encoded dots": "%2E%2e", "a slash": "a%2Fb", "a way up": "..%2F..%2Fassets%2Fa", "no UTF-8": "%FF", "half a rune": "a%C3",
	"an overlong slash": "%C0%AF", "a surrogate": "%ED%A0%80", "half an escape": "a%2", "no escape": "a%zz", "over a KiB": strings.Repeat("a", 1025), "segments": "a/b", "markup": "%3Cb%3Ex%3C%2Fb%3E", "a segment up": "a/../b",
}

// Every valid name maps to one subject and back, through a delivery, headers, and /v1. Deliveries with invalid names are
// stored as unapplied.
func TestHostileNamesStayNames(t *testing.T) {
	b := openForTest(t)
	for _, name := range hostileNames {
		if status := deliver(t, b, jobDelivery(t, url.PathEscape(name), "Finished", nil)); status != http.StatusNoContent {
			t.Errorf("%q: status %d", name, status)
		}
	}
	for what, segment := range impossibleNames {
		if status := deliver(t, b, jobDelivery(t, segment, "Finished", nil)); status != http.StatusAccepted {
			t.Errorf("%s: status %d", what, status)
		}
	}
	var got []string
	for e, err := range b.events.Events(t.Context(), eventlog.Query{From: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Event.Data.Name)
		checkSubject(t, b, e)
	}
	if !slices.Equal(got, hostileNames) {
		t.Errorf("the log holds the names %q", got)
	}
	count := 0
	for k, err := range b.events.Unapplied(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; k.Reason != lifecycle.ReasonUnrecognised || strings.Count(k.Subject, ".") != 2 {
			t.Errorf("stored on %s: %s", k.Subject, k.Detail)
		}
	}
	if count != len(impossibleNames) {
		t.Errorf("%d deliveries are unapplied, want %d", count, len(impossibleNames))
	}
	checkV1(t, b)
}

// checkSubject checks that an event's subject is valid, and parses back to its name.
func checkSubject(t *testing.T, b *bridge, e eventlog.LoggedEvent) {
	t.Helper()
	schematest.Event(t, e.Payload)
	key, err := e.Event.Data.Key()
	if err != nil {
		t.Fatal(err)
	}
	if tokens := strings.Split(e.Subject, "."); len(tokens) != 6 || slices.Contains(tokens, "") || strings.ContainsAny(e.Subject, "*> \t\r\n\x00") || len(e.Subject) > 1000 {
		t.Errorf("%q is on subject %q", key.Name(), e.Subject)
	}
	parsed, state, err := b.names.Parse(e.Subject)
	if errors.Is(err, event.ErrCutToken) && len(key.Name()) > 80 {
		return
	}
	if err != nil || parsed != key || state != "finished" {
		t.Errorf("%q: its subject parses as %q, %q, %v", key.Name(), parsed.Name(), state, err)
	}
}

// checkV1 requests every name from the admin listener.
func checkV1(t *testing.T, b *bridge) {
	t.Helper()
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	admin := httptest.NewServer(openapitest.Check(b.adminRoutes(true)))
	defer admin.Close()
	const jobs = "/v1/resources/job/aurora-vod/ladder-hd/"
	for _, name := range hostileNames {
		var r struct{ Event json.RawMessage }
		var e event.Event
		body := get(t, admin.URL+jobs+url.PathEscape(name), http.StatusOK)
		if json.Unmarshal([]byte(body), &r) != nil || json.Unmarshal(r.Event, &e) != nil || e.Data.Name != name {
			t.Errorf("%q is returned as %s", name, body)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for what, segment := range impossibleNames {
		response, err := client.Get(admin.URL + jobs + segment)
		if err != nil { // the client itself refuses the URL
			continue
		}
		response.Body.Close()
		location := response.Header.Get("Location")
		redirected := response.StatusCode/100 == 3 && strings.HasPrefix(location, "/v1/")
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusBadRequest && !redirected {
			t.Errorf("%s: status %d, %q", what, response.StatusCode, location)
		}
	}
}

// Nor can text in other parts of a delivery add a header, a line or a token.
func TestHostileTextStaysText(t *testing.T) {
	b := openForTest(t)
	const evil = "x\r\nMkio-State: Deleted\r\nNats-Msg-Id: 1\r\n\r\n{}\x00\x1b[31m"
	status := deliver(t, b, jobDelivery(t, "text", evil, func(d map[string]any) {
		d["id"], d["type"] = evil, "MediaKind."+evil
		d["data"].(map[string]any)["previousState"] = evil
		d["data"].(map[string]any)["resource"] = map[string]any{
			"properties": map[string]any{"state": evil, "provisioningState": evil, "correlationData": map[string]any{evil: evil}},
			"systemData": map[string]any{"internalId": evil},
		}
	}))
	if status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	if status := deliver(t, b, jobDelivery(t, "text", "Finished", func(d map[string]any) { d["specversion"] = evil })); status != http.StatusBadRequest {
		t.Fatalf("status %d of a malformed version", status)
	}
	for _, stream := range []string{b.names.EventStream(), b.names.UnappliedStream()} {
		s, err := b.js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq)
		if err != nil {
			t.Fatal(err)
		}
		checkHeader(t, m)
	}
	for e, err := range b.events.Events(t.Context(), eventlog.Query{From: 2}) {
		if err != nil || e.Fact.State != evil || e.Fact.Delivery != evil || e.Fact.Life != evil || e.Event.Data.State != evil {
			t.Errorf("the event is %+v, %v", e.Fact, err)
		}
		if strings.Count(e.Subject, ".") != 5 {
			t.Errorf("the event is on subject %q", e.Subject)
		}
		schematest.Event(t, e.Payload)
	}
}

// checkHeader checks that a message has the bridge's headers, each once and in visible ASCII, and no others.
func checkHeader(t *testing.T, m *jetstream.RawStreamMsg) {
	t.Helper()
	for name, values := range m.Header {
		if slices.Contains([]string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"}, name) {
			continue // added by the server on a get
		}
		expected := strings.HasPrefix(name, "Nats-Expected-") || strings.HasPrefix(name, "Mkio-") || name == event.HeaderContentType
		if !expected || len(values) != 1 || strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("header %q: %q", name, values)
		}
	}
	if m.Header.Get(event.HeaderState) == "Deleted" || len(m.Header) < 4 {
		t.Errorf("headers %q", fmt.Sprint(m.Header))
	}
}
