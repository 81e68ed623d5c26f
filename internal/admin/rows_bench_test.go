package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// BenchmarkRows measures a page of rows of 100,000 resources, from the request to the response: nine in ten are finished jobs,
// one in ten is processed, and one in a thousand failed.
func BenchmarkRows(b *testing.B) {
	const known = 100_000
	f := setUp(b)
	f.fill(b, known)
	routes := uncheckedRoutesOf(f.Config) // the comparison with openapi.yaml takes longer than the answer
	middle := cursor{Stream: names.StateStream(), Identity: f.publisher.LogIdentity(), After: fmt.Sprintf("job.aurora-vod.ladder-hd.title-%06d-abr", known/2)}
	for _, bm := range []struct {
		name, query string
		rows        int
	}{
		{"first", "", 100},
		{"middle", "&after=" + middle.String(), 100},
		{"largest", "&limit=1000", 1000},
		{"phase", "&phase=failed&limit=1000", known / 1000},
		{"name", "&name=99999", 1},
		{"name+state+age", "&name=99&state=processing&olderThan=2100-01-01", 100},
		{"none", "&state=Canceled&olderThan=2100-01-01", 0},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			best := time.Hour
			for b.Loop() {
				began := time.Now()
				response := httptest.NewRecorder()
				routes.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "http://"+adminHost+"/v1/resources?view=row"+bm.query, nil))
				best = min(best, time.Since(began))
				if n := strings.Count(response.Body.String(), `"key"`); n != bm.rows || response.Code != http.StatusOK {
					b.Fatalf("status %d, %d rows, want %d: %.300s", response.Code, n, bm.rows, response.Body)
				}
			}
			b.ReportMetric(float64(best.Microseconds())/1000, "best-ms") // which a busy machine disturbs less than the mean
		})
	}
}

// fill stores the first event of many jobs, and loads them into the cache.
func (f *fixture) fill(b *testing.B, known int) {
	b.Helper()
	encoder := event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	at := time.Date(2031, 3, 4, 10, 19, 36, 0, time.UTC)
	var m event.Message
	for i := range known {
		state := "Finished"
		switch {
		case i%1000 == 7:
			state = "Error"
		case i%10 == 9:
			state = "Processing"
		}
		key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", fmt.Sprintf("title-%06d-abr", i))
		if err != nil {
			b.Fatal(err)
		}
		o := lifecycle.Observation{
			Key: key, State: state, At: at, Life: fmt.Sprintf("%036d", i), Via: lifecycle.Webhook, Source: "/x",
			Delivery: &lifecycle.Delivery{ID: fmt.Sprintf("%036d", i), Type: "MediaKind.JobFinished", Time: at, Received: at},
		}
		if err := encoder.Encode(&m, o, nil, at.Add(time.Second)); err != nil {
			b.Fatal(err)
		}
		if err := f.js.Conn().PublishMsg(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}); err != nil {
			b.Fatal(err)
		}
	}
	for last := uint64(0); last < uint64(known); {
		bounds, err := f.Events.Bounds(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		last = bounds.Last
	}
	if err := f.publisher.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
}
