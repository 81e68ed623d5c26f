package publish

import (
	"fmt"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
)

// One large record among a thousand would in time leave every pooled buffer as large as itself.
func TestLargeBuffersAreNotPooled(t *testing.T) {
	p, _ := batchingPublisher(t)
	for i := range 20 {
		o := finishedJob(fmt.Sprint("large-", i))
		o.Resource = []byte(`{"note":"` + strings.Repeat("x", 2*maxReused) + `"}`)
		if _, err := p.Observe(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		if m := messages.Get().(*event.Message); cap(m.Payload) > maxReused {
			t.Fatalf("a pooled message has a buffer of %d bytes", cap(m.Payload))
		}
	}
}
