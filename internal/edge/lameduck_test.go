package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestALameDuckWaitsForThoseThatAsk(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(d *LameDuck)
		want time.Duration
	}{
		{"nobody ever asked", func(*LameDuck) {}, 0},
		{"nobody asked lately", func(d *LameDuck) { d.Asked(false); time.Sleep(askedLately + 1) }, 0},
		{"nobody asks again", func(d *LameDuck) { d.Asked(false) }, noticeTime},
		{"a client was told before", func(d *LameDuck) { d.Asked(false); d.Asked(true); d.Asked(true) }, moveTime},
		{"a client is told meanwhile", func(d *LameDuck) {
			d.Asked(false)
			time.AfterFunc(time.Second, func() { d.Asked(true) })
		}, time.Second + moveTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewLameDuck()
				tt.play(d)
				began := time.Now()
				d.Wait()
				if took := time.Since(began); took != tt.want {
					t.Errorf("it waited %s, want %s", took, tt.want)
				}
			})
		})
	}
}
