package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kelseyhightower/envconfig"
)

func TestConfigWithoutEnvironment(t *testing.T) {
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8080" || c.AdminListen != "127.0.0.1:9090" || c.NatsListen != "127.0.0.1:4222" || c.Sync != 0 ||
		c.MaxBody != 4<<20 || c.LogLevel.Level() != slog.LevelInfo || c.MaxAge != 0 || c.StoreDir != "./data" || c.MkioURL != "https://app.mk.io" {
		t.Errorf("config %+v", c)
	}
}

// The manual must list the names, defaults and descriptions that envconfig reads.
func TestManualListsWhatEnvconfigReads(t *testing.T) {
	var c config
	var want, is strings.Builder
	if err := envconfig.Usagef(prefix, &c, &want, "{{range .}}{{usage_key .}}|{{usage_default .}}|{{usage_description .}}\n{{end}}"); err != nil {
		t.Fatal(err)
	}
	for _, v := range manual() {
		fmt.Fprintf(&is, "%s|%s|%s\n", v.name, v.defaultValue, v.meaning)
	}
	if is.String() != want.String() {
		t.Errorf("the manual is\n%s\nwant\n%s", is.String(), want.String())
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"BRIDGE_LISTEN": ":8443", "BRIDGE_WEBHOOK_SECRETS": " one, two ,,", "BRIDGE_PROJECTS": "a, b,", "BRIDGE_SYNC": "2s",
		"BRIDGE_MAX_BODY": "512KiB", "BRIDGE_MAX_AGE": "400h", "BRIDGE_LOG_LEVEL": "DEBUG", "BRIDGE_NATS_LISTEN": "",
		"BRIDGE_NATS_TLS_CA": "ca.pem", "BRIDGE_NATS_TLS_CERT": "c.pem", "BRIDGE_NATS_URL": "nats://a,nats://b",
	} {
		t.Setenv(name, value)
	}
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.WebhookSecrets.all()) != "[one two]" || fmt.Sprint([]string(c.Projects)) != "[a b]" || time.Duration(c.Sync) != 2*time.Second ||
		c.MaxBody != 512<<10 || c.MaxAge != 400*time.Hour || c.LogLevel.Level() != slog.LevelDebug || c.NatsListen != "" ||
		c.NatsTLSCa != "ca.pem" || c.NatsTLSCert != "c.pem" || c.NatsURL != "nats://a,nats://b" {
		t.Errorf("config %+v", c)
	}
}

func TestInvalidConfigIsExplained(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"a public address without a secret", map[string]string{"BRIDGE_LISTEN": ":8080"}, []string{"BRIDGE_LISTEN", "BRIDGE_WEBHOOK_SECRETS"}},
		{"all addresses without a secret", map[string]string{"BRIDGE_LISTEN": "[::]:8080"}, []string{"BRIDGE_WEBHOOK_SECRETS"}},
		{"secrets that are only commas", map[string]string{"BRIDGE_LISTEN": ":8080", "BRIDGE_WEBHOOK_SECRETS": " , "}, []string{"BRIDGE_WEBHOOK_SECRETS"}},
		{"a typo", map[string]string{"BRIDGE_WEBHOOK_SECRET": "x"}, []string{"BRIDGE_WEBHOOK_SECRET is not a setting", "the nearest name is BRIDGE_WEBHOOK_SECRETS"}},
		{"two typos", map[string]string{"BRIDGE_LISTN": "x", "BRIDGE_SINK": "x"}, []string{"BRIDGE_LISTEN", "BRIDGE_SYNC"}},
		{"no address", map[string]string{"BRIDGE_LISTEN": "8080"}, []string{"BRIDGE_LISTEN", "host:port"}},
		{"an empty address", map[string]string{"BRIDGE_ADMIN_LISTEN": ""}, []string{"BRIDGE_ADMIN_LISTEN"}},
		{"half a key pair", map[string]string{"BRIDGE_TLS_CERT": "x"}, []string{"BRIDGE_TLS_KEY"}},
		{"client certificates without TLS", map[string]string{"BRIDGE_TLS_CLIENT_CA": "x"}, []string{"BRIDGE_TLS_CLIENT_CA", "BRIDGE_TLS_CERT"}},
		{"no base address", map[string]string{"BRIDGE_MKIO_URL": "app.mk.io"}, []string{"BRIDGE_MKIO_URL"}},
		{"an unknown adoption", map[string]string{"BRIDGE_MKIO_ADOPT": "everything"}, []string{"BRIDGE_MKIO_ADOPT", "address or all"}},
		{"a public URL with a password", map[string]string{"BRIDGE_WEBHOOK_URL": "https://u:hunter2@b.test", "BRIDGE_WEBHOOK_SECRETS": "s"}, []string{"BRIDGE_WEBHOOK_URL", "without user"}},
		{"a public URL without a secret", map[string]string{"BRIDGE_WEBHOOK_URL": "https://b.test"}, []string{"BRIDGE_WEBHOOK_URL", "BRIDGE_WEBHOOK_SECRETS"}},
		{"a bad prefix", map[string]string{"BRIDGE_SUBJECT_PREFIX": "a.b"}, []string{"BRIDGE_SUBJECT_PREFIX"}},
		{
			"several at once",
			map[string]string{"BRIDGE_STREAM_MANAGE": "maybe", "BRIDGE_STREAM_REPLICAS": "9", "BRIDGE_RESOURCE": "some", "BRIDGE_MAX_AGE": "1s", "BRIDGE_LOG_FORMAT": "xml", "BRIDGE_MAX_BODY": "1B", "BRIDGE_DELETE_PATIENCE": "-1s"},
			[]string{"BRIDGE_STREAM_MANAGE", "BRIDGE_STREAM_REPLICAS", "BRIDGE_RESOURCE", "BRIDGE_MAX_AGE", "BRIDGE_LOG_FORMAT", "BRIDGE_MAX_BODY", "BRIDGE_DELETE_PATIENCE"},
		},
		{"an empty number", map[string]string{"BRIDGE_STREAM_REPLICAS": ""}, []string{"BRIDGE_STREAM_REPLICAS is set, but empty"}},
		{"no store", map[string]string{"BRIDGE_STORE_DIR": ""}, []string{"BRIDGE_STORE_DIR"}},
		{"no size", map[string]string{"BRIDGE_MAX_BODY": "lots"}, []string{"BRIDGE_MAX_BODY", "4MiB"}},
		{"no interval", map[string]string{"BRIDGE_SYNC": "often"}, []string{"BRIDGE_SYNC", "always"}},
		{"a secret twice", map[string]string{"BRIDGE_ADMIN_TOKEN": "hunter2", "BRIDGE_ADMIN_TOKEN_FILE": "/dev/null"}, []string{"BRIDGE_ADMIN_TOKEN", "both set"}},
		{"a secret that is empty", map[string]string{"BRIDGE_WEBHOOK_SECRETS": ""}, []string{"BRIDGE_WEBHOOK_SECRETS is set, but empty"}},
		{"a token that is empty", map[string]string{"BRIDGE_ADMIN_TOKEN": " "}, []string{"BRIDGE_ADMIN_TOKEN is set, but empty"}},
		{"a secret's file that is empty", map[string]string{"BRIDGE_WEBHOOK_SECRETS_FILE": "/dev/null"}, []string{"BRIDGE_WEBHOOK_SECRETS_FILE", "/dev/null is empty"}},
		{"a rule without a name", map[string]string{"BRIDGE_WEBHOOK_RULE": ""}, []string{"BRIDGE_WEBHOOK_RULE"}},
		{"a secret's file that is not there", map[string]string{"BRIDGE_ADMIN_TOKEN_FILE": "/does/not/exist"}, []string{"BRIDGE_ADMIN_TOKEN_FILE", "/does/not/exist"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			_, err := loadConfig()
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

func TestKubernetesServiceVariablesAreAccepted(t *testing.T) {
	t.Setenv("BRIDGE_PORT", "tcp://10.0.0.1:80")
	t.Setenv("BRIDGE_PORT_80_TCP_ADDR", "10.0.0.1")
	t.Setenv("BRIDGE_SERVICE_HOST", "10.0.0.1")
	t.Setenv("BRIDGE_SERVICE_PORT_HTTP", "80")
	if _, err := loadConfig(); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreReloadedAndNeverPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2\n")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", file)
	t.Setenv("BRIDGE_NATS_PASSWORD", "hunter2")
	t.Setenv("BRIDGE_NATS_URL", "nats://me:hunter2@nats.example:4222,tls://other,me:hunter2@third")
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.WebhookSecrets.all()) != "[hunter2]" {
		t.Errorf("secrets %q", c.WebhookSecrets.all())
	}
	write("hunter2,hunter3")
	if changed, err := c.WebhookSecrets.reload(); !changed || err != nil || fmt.Sprint(c.WebhookSecrets.all()) != "[hunter2 hunter3]" {
		t.Errorf("reloaded: %t, %v, %q", changed, err, c.WebhookSecrets.all())
	}
	if changed, err := c.WebhookSecrets.reload(); changed || err != nil {
		t.Errorf("reloaded unchanged: %t, %v", changed, err)
	}
	for _, emptied := range []string{"", "\n", " , "} { // without a secret every delivery would be accepted
		write(emptied)
		if changed, err := c.WebhookSecrets.reload(); changed || err == nil || len(c.WebhookSecrets.all()) != 2 {
			t.Errorf("emptied to %q: %t, %v, %q", emptied, changed, err, c.WebhookSecrets.all())
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WebhookSecrets.reload(); err == nil || len(c.WebhookSecrets.all()) != 2 {
		t.Errorf("with its file gone: %v, %q", err, c.WebhookSecrets.all())
	}
	var printed strings.Builder
	if err := printConfig(&printed, formatText, c); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&printed, "%v %+v %#v %s", c, c, c.NatsPassword, c.WebhookSecrets)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "secret", c.NatsPassword, "config", c.WebhookSecrets)
	if strings.Contains(printed.String(), "hunter") {
		t.Errorf("a secret is printed:\n%s", printed.String())
	}
	if !strings.Contains(printed.String(), "nats://[masked]@nats.example:4222,tls://other,[masked]@third") {
		t.Errorf("the address is not printed:\n%s", printed.String())
	}
}
