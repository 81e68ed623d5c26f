package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLameDuckWaitsForReadinessProbes(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(d *LameDuck)
		want time.Duration
	}{
		{"no probe ever", func(*LameDuck) {}, 0},
		{"no recent probe", func(d *LameDuck) { d.Probed(false); time.Sleep(recentProbe + 1) }, 0},
		{"no further probe", func(d *LameDuck) { d.Probed(false) }, noticeTimeout},
		{"a probe has failed before", func(d *LameDuck) { d.Probed(false); d.Probed(true); d.Probed(true) }, reroutePause},
		{"a probe fails meanwhile", func(d *LameDuck) {
			d.Probed(false)
			time.AfterFunc(time.Second, func() { d.Probed(true) })
		}, time.Second + reroutePause},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewLameDuck()
				tt.play(d)
				start := time.Now()
				d.Wait()
				if took := time.Since(start); took != tt.want {
					t.Errorf("the wait took %s, want %s", took, tt.want)
				}
			})
		})
	}
}
