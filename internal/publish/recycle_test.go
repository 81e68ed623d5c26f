package publish

import (
	"fmt"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
)

// One large record among a thousand would leave each message that is used again as large as itself.
func TestTheRoomOfALargeRecordIsNotKept(t *testing.T) {
	p, _ := slowed(t)
	for i := range 20 {
		o := finished(fmt.Sprint("large-", i))
		o.Resource = []byte(`{"note":"` + strings.Repeat("x", 2*maxReused) + `"}`)
		if _, err := p.Observe(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		if m := messages.Get().(*event.Message); cap(m.Payload) > maxReused {
			t.Fatalf("a message is used again with room for %d bytes", cap(m.Payload))
		}
	}
}
