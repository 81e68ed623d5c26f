package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestWeakSecrets(t *testing.T) {
	for _, weak := range []string{
		"", "s3cret", "fifteen-letters", "changeme-changeme", "CHANGE_ME_CHANGE_ME", "changeme123456789", "your-webhook-secret", "supersecretpassword1"[:15],
		"0123456789abcdef", "aaaaaaaaaaaaaaaaaaaaaaaa", "mkio-webhook-secret", "ü-ü-ü-ü-ü",
	} {
		if weakness(weak) == "" {
			t.Errorf("%q is not recognised as weak", weak)
		}
	}
	for _, strong := range []string{
		"3b2f9d7c5e1a8f64", "jT7qPz0xW2mVbN4c", "a secret of chance, this one: 7f3e", "correct-horse-battery-staple-of-ours", "äöüßéèêñçøåæœł£§",
	} {
		if why := weakness(strong); why != "" {
			t.Errorf("%q is reported as weak: %s", strong, why)
		}
	}
}

func TestWeakSecretsOfReachableListenersAreReported(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		want []string // settings
	}{
		{"all on loopback", map[string]string{"LISTEN": "127.0.0.1:8080", "WEBHOOK_SECRETS": "hunter2", "ADMIN_TOKEN": "hunter2", "NATS_READER_TOKEN": "hunter2"}, nil},
		{"deliveries from outside", map[string]string{"LISTEN": ":8080", "WEBHOOK_SECRETS": "hunter2"}, []string{"BRIDGE_WEBHOOK_SECRETS"}},
		{"a strong one", map[string]string{"LISTEN": ":8080", "WEBHOOK_SECRETS": "3b2f9d7c5e1a8f64"}, nil},
		{"the former of two", map[string]string{"LISTEN": ":8080", "WEBHOOK_SECRETS": "3b2f9d7c5e1a8f64,hunter2"}, []string{"BRIDGE_WEBHOOK_SECRETS"}},
		{"operators from outside", map[string]string{"ADMIN_LISTEN": "0.0.0.0:9090", "ADMIN_TOKEN": "changeme-changeme"}, []string{"BRIDGE_ADMIN_TOKEN"}},
		{"viewers from outside", map[string]string{"ADMIN_LISTEN": "0.0.0.0:9090", "VIEWER_TOKEN": "changeme-changeme"}, []string{"BRIDGE_VIEWER_TOKEN"}},
		{"readers from outside", map[string]string{"NATS_LISTEN": ":4222", "NATS_READER_TOKEN": "hunter2"}, []string{"BRIDGE_NATS_READER_TOKEN"}},
		{"readers of another NATS", map[string]string{"NATS_URL": "nats://n", "NATS_LISTEN": ":4222", "NATS_READER_TOKEN": "hunter2"}, nil},
		{"no secret at all", map[string]string{"ADMIN_LISTEN": ":9090"}, nil}, // without a token /v1 is not served
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.set {
				t.Setenv(prefix+"_"+name, value)
			}
			c, err := loadConfig()
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, w := range c.weakSecrets() {
				found = append(found, w.setting)
			}
			if strings.Join(found, " ") != strings.Join(tt.want, " ") {
				t.Errorf("found %v, want %v", found, tt.want)
			}

			var log, response bytes.Buffer
			(&bridge{config: c, log: slog.New(slog.NewTextHandler(&log, nil))}).warnOfSettings()
			for _, f := range settingFindings(c, nil) {
				_ = f.print(&response, formatText, false)
			}
			for source, text := range map[string]string{"the start": log.String(), "doctor": response.String()} {
				if strings.Count(text, "easily guessed") != len(tt.want) || strings.Contains(text, "hunter") {
					t.Errorf("%s prints:\n%s", source, text)
				}
				for _, setting := range tt.want {
					if !strings.Contains(text, setting) {
						t.Errorf("%s does not name %s:\n%s", source, setting, text)
					}
				}
			}
		})
	}
}
