package mkio_test

import (
	"os"
	"testing"
	"time"

	"mkio-bridge/internal/mkio"
)

func BenchmarkDecode(b *testing.B) {
	body, err := os.ReadFile("testdata/webhooks/job-finished.finished.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (mkio.Decoder{}).Decode(body, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
