//go:build e2e

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A resource's screen has its lives and states on a timeline, how late each was recorded, and the events with what each changed.
func TestResourceWithTwoLives(t *testing.T) {
	t.Parallel()
	fake, b, console := startWithMKIO(t, mkiofake.Config{})
	key := jobKey(t, "weather")
	for range 2 {
		fake.Create(key, "Queued")
		awaitEvent(t, b, key, "Queued")
		fake.Move(key, "Processing")
		awaitEvent(t, b, key, "Processing")
		fake.Move(key, "Finished")
		awaitEvent(t, b, key, "Finished")
		if fake.Delete(key); len(fake.Changes()) < 8 {
			awaitEvent(t, b, key, "Deleted")
		}
	}
	p := open(t, console, "?v=resource&resource=job/aurora-vod/ladder-hd/weather", look{})
	p.await("8 events")
	p.await("The chain of hashes holds.")
	p.until("two lives", `document.querySelector("svg.timeline")?.getAttribute("aria-label") === "Timeline of 8 events in 2 lives"`)
	if read := p.accessibleText(); !strings.Contains(read, "\nbutton Queued, event ") || !strings.Contains(read, "\nbutton Deleted, event ") {
		t.Errorf("assistive technology reads:\n%s", read)
	}
	if chain := p.cells("chain"); len(chain) != 8 || !strings.Contains(chain[7], "first") || strings.Count(strings.Join(chain, " "), "✓") != 7 {
		t.Errorf("the chain is %q", chain)
	}
	if output := p.runShown(b); strings.Count(output, "weather") < 8 {
		t.Errorf("the command has\n%s", output)
	}
	// An earlier event is selected with the keyboard alone; what it changed is shown against the one before it.
	eval[bool](p, `(document.querySelectorAll("svg.timeline [role=button]")[2].focus(), true)`)
	p.press("Enter")
	p.awaitAddress("event=")
	p.until("the changes", `document.querySelector("pre[aria-label=changes]")?.innerText.includes('+') === true`)
	for _, line := range []string{`-     "state": "Processing"`, `+     "state": "Finished"`} {
		if changes := eval[string](p, `document.querySelector("pre[aria-label=changes]").innerText`); !strings.Contains(changes, line) {
			t.Errorf("the changes lack %q:\n%s", line, changes)
		}
	}
	p.checkAddress("8 events", `"Finished"`)
}

// awaitEvent waits until the log's last event of a resource has a state.
func awaitEvent(t *testing.T, b *bridgetest.Bridge, key lifecycle.Key, state string) {
	t.Helper()
	bridgetest.Eventually(t, key.String()+" in "+state, func() bool {
		status, body := b.Get("/v1/resources/" + string(key.Kind) + "/" + key.Project + "/" + strings.Join(key.Names(), "/"))
		return status == http.StatusOK && strings.Contains(body, `"state":"`+state+`"`)
	})
}

// A change whose time MK.IO does not give is drawn as a window between two polls. One that was recorded long after MK.IO's time has its lateness.
func TestResourceWithAWindowAndLateness(t *testing.T) {
	t.Parallel()
	fake, b, console := startWithMKIO(t, mkiofake.Config{})
	p := open(t, console, "?v=resource&resource=asset/aurora-vod/"+assetWithAWindow(t, fake, b), look{})
	p.await("the change lies between two polls")
	p.awaitElement("svg.timeline rect.window")
	p.await("between ")

	late := jobKey(t, "late")
	deliver(t, b, late, "Processing", time.Now().Add(-10*time.Minute), http.StatusNoContent)
	p.goTo("?v=resource&resource=job/aurora-vod/ladder-hd/late")
	p.await("MK.IO's time until it was recorded")
	p.await("recorded within 10 min of it")
	p.awaitElement("svg.timeline line.lateness")
	if after := p.cells("recorded after"); len(after) == 0 || !strings.HasPrefix(after[len(after)-1], "10 min") {
		t.Errorf("recorded after %q", after)
	}
}

// assetWithAWindow returns the name of an asset whose change lies between two polls. MK.IO's times have whole seconds, so two polls
// within the same one do not tell: then another asset is tried.
func assetWithAWindow(t *testing.T, fake *mkiofake.MKIO, b *bridgetest.Bridge) (name string) {
	t.Helper()
	for i := range 20 {
		name = fmt.Sprintf("reel-%02d", i)
		key := keyOf(t, lifecycle.Asset, mkiofake.VOD, name)
		fake.Create(key, "Pending")
		awaitEvent(t, b, key, "Pending")
		polls := fake.Requests(mkiofake.VOD).Gets
		bridgetest.Eventually(t, "more polls", func() bool { return fake.Requests(mkiofake.VOD).Gets > polls+20+7*i }) // not always as long after a poll
		fake.Move(key, "Ready")
		awaitEvent(t, b, key, "Ready")
		if strings.Contains(b.MustGet("/v1/resources/asset/"+mkiofake.VOD+"/"+name), `"seenAfter"`) {
			return name
		}
	}
	t.Fatal("no change lies between two polls")
	return ""
}

// An event is shown as it is stored: no number is rounded, no member is put elsewhere.
func TestPayloadAsStored(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	const big = `{"houseId":9007199254740993,"price":1.10,"tiny":1e-400,"text":"\u00fc \"quoted\" {[,:]}"}`
	body := bridgetest.JobDelivery(t, "big", "Processing", func(delivery map[string]any) {
		delivery["data"].(map[string]any)["resource"] = json.RawMessage(`{"name":"big","properties":{"correlationData":` + big + `,"state":"Processing"}}`)
	})
	if status := b.Deliver(body); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	stored := b.MustGet("/v1/events?follow=false")
	if !strings.Contains(stored, "9007199254740993") || !strings.Contains(stored, "1e-400") {
		t.Fatalf("the log has not the number: %s", stored)
	}
	p := open(t, console, "?v=resource&resource=job/aurora-vod/ladder-hd/big&show=raw", look{})
	p.await("9007199254740993")
	shown := eval[string](p, `document.querySelector("pre[aria-label=event]").textContent`)
	if !strings.Contains(stored, shown) || !strings.HasPrefix(shown, `{"specversion"`) {
		t.Errorf("the log has\n%s\nand the page shows\n%s", stored, shown)
	}
	p.click(`a[href*="show=event"]`)
	p.await(`"houseId": 9007199254740993`)
	p.await("1e-400")
	p.checkAddress(`"houseId": 9007199254740993`)
}

// A log that someone has written to is shown as broken, with the reason.
func TestBrokenChain(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATS(t, "")
	b, console := startBridge(t, "BRIDGE_NATS_URL="+server.URL)
	key := jobKey(t, "forged")
	deliver(t, b, key, "Processing", time.Now().Add(-time.Minute), http.StatusNoContent)
	deliver(t, b, key, "Finished", time.Now(), http.StatusNoContent)
	p := open(t, console, "?v=resource&resource=job/aurora-vod/ladder-hd/forged", look{})
	p.await("The chain of hashes holds.")
	forge(t, server.URL)
	p.await("1 event does not follow from the one before.")
	p.await("previousHash is not the hash of event 2")
	p.until("the mark on the timeline", `document.querySelector("svg.timeline text.broken") !== null`)
}

// forge writes the log's last event again, as if it followed on itself.
func forge(t *testing.T, url string) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), awaitLimit)
	defer cancel()
	log, err := js.Stream(ctx, "MKIO_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	last, err := log.GetLastMsgForSubject(ctx, "mkio.>")
	if err != nil {
		t.Fatal(err)
	}
	header := nats.Header{}
	for name, values := range last.Header {
		if !strings.HasPrefix(name, "Nats-") {
			header[name] = values
		}
	}
	if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: last.Subject, Header: header, Data: last.Data}); err != nil {
		t.Fatal(err)
	}
}
