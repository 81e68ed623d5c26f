package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSlackMessage(t *testing.T) {
	body, err := readTemplate("")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ event, want string }{
		{
			`{"data":{"kind":"job","project":"aurora-vod","path":["ladder-hd","ep-0417"],"previousState":"Processing","state":"Finished","transition":12345678}}`,
			"job aurora-vod/ladder-hd/ep-0417 is Finished (was Processing), transition 12345678",
		},
		{
			`{"data":{"kind":"live-event","project":"p","path":["<!channel> & \"quoted\"\n"],"state":"","transition":1}}`,
			"live-event p/&lt;!channel&gt; &amp; \"quoted\"\n is unset, transition 1",
		},
		{
			`{"data":{"kind":"job","project":"p","path":["t","j"],"state":"Error","transition":2,"errors":[{"code":"NoDisk","message":"it is full"},{"message":"and old"}]}}`,
			"job p/t/j is Error, transition 2\nNoDisk: it is full\nerror: and old",
		},
	}
	for _, tt := range tests {
		out, err := render(body, []byte(tt.event))
		if err != nil {
			t.Fatal(err)
		}
		var message struct{ Text string }
		if err := json.Unmarshal(out, &message); err != nil || message.Text != tt.want {
			t.Errorf("%s (%v)\nwant %q\n got %q", out, err, tt.want, message.Text)
		}
	}
	if _, err := render(body, []byte(`{"data":{"path":7}}`)); err == nil {
		t.Error("an event of another shape is accepted")
	}
}

func TestOwnTemplate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "body.tmpl")
	if err := os.WriteFile(name, []byte(`{"what": {{json .data.state}}, "of": {{json .source}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	body, err := readTemplate(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := render(body, []byte(`{"source":"/a\"b","data":{"state":"Ready"}}`))
	if err != nil || string(out) != `{"what": "Ready", "of": "/a\"b"}` {
		t.Errorf("%s, %v", out, err)
	}
}

func TestPermanentStatuses(t *testing.T) {
	for status, want := range map[int]bool{302: false, 400: true, 401: true, 404: true, 408: false, 410: true, 425: false, 429: false, 500: false, 503: false} {
		if permanent(status) != want {
			t.Errorf("%d: permanent is not %v", status, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "99999999999": maxRetryAfter, "soon": 0,
		"Tue, 04 Mar 2031 10:02:00 GMT": 2 * time.Minute, "Tue, 04 Mar 2031 09:02:00 GMT": 0,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func TestPartialLineDoesNotCorruptTheNext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "dead.jsonl")
	if err := os.WriteFile(name, []byte(`{"id":"to`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFileStore(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if err := f.store(t.Context(), deadLetter{ID: "whole", Event: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	content, _ := os.ReadFile(name)
	if lines := strings.Split(string(content), "\n"); len(lines) != 4 || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("the file holds %q", content)
	}
}

func TestInvalidSettings(t *testing.T) {
	for _, tt := range []struct {
		url, want string
		args      []string
	}{
		{"https://hooks.invalid/x", "dead-letter-file", nil},
		{"https://hooks.invalid/x", "only one", []string{"-dead-letter-file", "f", "-dead-letter-subject", "s"}},
		{"", "NOTIFY_URL", []string{"-dead-letter-file", "f"}},
		{"hooks.invalid/hunter2", "NOTIFY_URL", []string{"-dead-letter-file", "f"}},
		{"https://hooks.invalid/x", "-waits", []string{"-dead-letter-file", "f", "-waits", "soon"}},
		{"https://hooks.invalid/x", "-template", []string{"-dead-letter-file", "f", "-template", "/gone"}},
		{"https://hooks.invalid/x", "not a flag", []string{"-dead-letter-file", "f", "extra"}},
	} {
		t.Setenv("NOTIFY_URL", tt.url)
		_, err := parse(tt.args, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q %v: %v", tt.url, tt.args, err)
		}
	}
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("https://hooks.invalid/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_URL_FILE", file)
	if s, err := parse([]string{"-dead-letter-file", "f"}, io.Discard); err != nil || s.url != "https://hooks.invalid/x" {
		t.Errorf("%+v, %v", s, err)
	}
}

// The SDK panics on the second payload.
func TestDecodeRefusesWhatIsNotACloudEvent(t *testing.T) {
	for _, payload := range []string{"no JSON", `{"data_base64":5,"specversion":"1.0"}`} {
		if e, err := decode([]byte(payload)); err == nil || e.ID() != "" {
			t.Errorf("%s: %v, %v", payload, e, err)
		}
	}
}
