package notify

import (
	"testing"
	"time"
)

func TestMuteWindows(t *testing.T) {
	t.Parallel()
	const saturdayNoon = "2000-01-01T12:00:00Z"
	for _, tt := range []struct {
		mute Mute
		at   string
		want bool
	}{
		{Mute{From: "22:00", To: "06:00"}, "2000-01-01T21:59:59Z", false},
		{Mute{From: "22:00", To: "06:00"}, "2000-01-01T22:00:00Z", true},
		{Mute{From: "22:00", To: "06:00"}, "2000-01-01T05:59:59Z", true},
		{Mute{From: "22:00", To: "06:00"}, "2000-01-01T06:00:00Z", false},
		{Mute{Days: []string{"sat"}}, saturdayNoon, true},
		{Mute{Days: []string{"sun"}}, saturdayNoon, false},
		{Mute{Days: []string{"fri"}, From: "22:00", To: "06:00"}, "2000-01-01T05:00:00Z", true}, // begun on Friday
		{Mute{Days: []string{"sat"}, From: "22:00", To: "06:00"}, "2000-01-01T05:00:00Z", false},
		{Mute{From: "13:00", To: "14:00", Zone: "Europe/Oslo"}, saturdayNoon, true},
		{Mute{From: "12:00", To: "13:00", Zone: "Europe/Oslo"}, saturdayNoon, false},
		{Mute{From: "12:00", To: "24:00"}, "2000-01-01T23:59:59Z", true},
	} {
		w, err := tt.mute.window()
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&Rule{mutes: []window{w}}).Muted(at); got != tt.want {
			t.Errorf("%+v at %s: muted is %t", tt.mute, tt.at, got)
		}
	}
}
