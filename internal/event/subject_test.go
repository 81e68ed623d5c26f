package event_test

import (
	"errors"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

var names = event.NewNames("mkio")

func key(t testing.TB, kind lifecycle.Kind, project string, n ...string) lifecycle.Key {
	t.Helper()
	k, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSubject(t *testing.T) {
	tests := []struct {
		key   lifecycle.Key
		state string
		want  string
	}{
		{key(t, lifecycle.Job, "aurora-vod", "ladder-hd", "ep-0417"), "Finished", "mkio.job.aurora-vod.ladder-hd.ep-0417.finished"},
		{key(t, lifecycle.LiveEvent, "P", "E_1"), "StandBy", "mkio.live-event.P.E_1.standby"},
		{key(t, lifecycle.LiveChannel, "p", "c"), "", "mkio.live-channel.p.c.unset"},
		{key(t, lifecycle.Asset, "p", "a.b c*>=\u00e9"), "Ready", "mkio.asset.p.a=2Eb=20c=2A=3E=3D=C3=A9.ready"},
		{key(t, lifecycle.Asset, "p", "\r\n\x00"), "a b", "mkio.asset.p.=0D=0A=00.a=20b"},
		{key(t, lifecycle.ScheduledOperation, "p", "live-api-event", "e", "o"), "Errored", "mkio.scheduled-operation.p.live-api-event.e.o.errored"},
	}
	for _, tt := range tests {
		got := names.Subject(names.Resource(tt.key), tt.state)
		if got != tt.want {
			t.Errorf("%s %q: subject %s, want %s", tt.key, tt.state, got, tt.want)
		}
		back, state, err := names.Parse(got)
		if err != nil || back != tt.key || state != strings.ToLower(tt.state) {
			t.Errorf("%s: parsed as %s %q, %v", got, back, state, err)
		}
	}
}

func TestLongNamesAreCutInEveryState(t *testing.T) {
	long := strings.Repeat("n", 950)
	k := key(t, lifecycle.Job, "p", "short", long)
	resource := names.Resource(k)
	const want = "job.p.short."
	if !strings.HasPrefix(resource, want+strings.Repeat("n", 40)+"=H") || len(resource) != len(want)+40+2+32 {
		t.Errorf("resource %s", resource)
	}
	other := key(t, lifecycle.Job, "p", "short", long+"n")
	if names.Resource(other) == resource {
		t.Error("two long names share one resource")
	}
	for _, state := range []string{"Error", "Finished", strings.Repeat("s", 2000)} {
		subject := names.Subject(resource, state)
		if len(subject) > 1000 || !strings.HasPrefix(subject, "mkio."+resource+".") {
			t.Errorf("%q: subject %s", state, subject)
		}
		if _, _, err := names.Parse(subject); !errors.Is(err, event.ErrCutToken) {
			t.Errorf("%s: parsed with %v, want ErrCutToken", subject, err)
		}
	}
	whole := key(t, lifecycle.Job, "p", "short", strings.Repeat("n", 890))
	if strings.Contains(names.Resource(whole), "=H") {
		t.Error("a name is cut that fits")
	}
}

func TestParseRefusesForeignSubjects(t *testing.T) {
	for _, subject := range []string{
		"", "mkio", "other.job.p.t.n.finished", "mkio.job.p.n.finished", "mkio.asset.p.t.n.ready",
		"mkio.asset.p.n=2.ready", "mkio.asset.p.n=2e.ready", "mkio.asset.p.n=61.ready", "mkio.asset.p.n=GG.ready",
		"mkio.asset.p..ready", "mkio.cassette.p.n.ready", "mkio.asset.p.n é.ready",
	} {
		if k, state, err := names.Parse(subject); err == nil {
			t.Errorf("%q: parsed as %s %q", subject, k, state)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("job", "aurora-vod", "ladder-hd", "ep-0417", "", "Finished")
	f.Add("asset", "p", "a.b c*>=", "", "", "")
	f.Add("scheduled-operation", "p", "live-event", strings.Repeat("\xff", 400), "o", "St\u00e4te")
	f.Fuzz(func(t *testing.T, kind, project, a, b, c, state string) {
		n := []string{a, b, c}[:lifecycle.Kind(kind).Depth()]
		k, err := lifecycle.NewKey(lifecycle.Kind(kind), project, n...)
		if err != nil {
			t.Skip()
		}
		resource := names.Resource(k)
		subject := names.Subject(resource, state)
		if len(subject) > 1000 {
			t.Fatalf("subject has %d bytes", len(subject))
		}
		for _, c := range []byte(subject) {
			if c <= ' ' || c >= 0x7f || c == '*' || c == '>' {
				t.Fatalf("subject %q holds %q", subject, c)
			}
		}
		if tokens := strings.Split(subject, "."); len(tokens) != 4+k.Kind.Depth() {
			t.Fatalf("subject %q has %d tokens", subject, len(tokens))
		}
		if filter := names.Filter(resource); !strings.HasPrefix(subject, strings.TrimSuffix(filter, "*")) {
			t.Fatalf("subject %q is not in %q", subject, filter)
		}
		back, _, err := names.Parse(subject)
		if errors.Is(err, event.ErrCutToken) {
			return
		}
		if err != nil || back != k {
			t.Fatalf("%q: parsed as %s, %v", subject, back, err)
		}
	})
}

// FuzzParse searches for a subject that parses to a resource with another subject.
func FuzzParse(f *testing.F) {
	f.Add("mkio.job.aurora-vod.ladder-hd.ep-0417.finished")
	f.Add("mkio.asset.p.=2E.unset")
	f.Fuzz(func(t *testing.T, subject string) {
		k, state, err := names.Parse(subject)
		if err != nil || state != strings.ToLower(state) || len(subject) > 900 {
			t.Skip()
		}
		if again := names.Subject(names.Resource(k), state); again != subject && state != "unset" {
			t.Fatalf("%q and %q are of one event", subject, again)
		}
	})
}
