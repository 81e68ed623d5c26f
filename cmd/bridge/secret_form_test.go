package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"mkio-bridge/internal/edge"
)

// secretFile writes a secret to a file.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCharactersAroundASecretAreIgnored(t *testing.T) {
	tests := []struct{ given, want, warning string }{
		{"s3cret", "s3cret", ""},
		{"s3cret\r\n", "s3cret", ""},
		{"\ufeffs3cret\r\n", "s3cret", "a byte order mark"},
		{"\ufeffs3cret", "s3cret", "a byte order mark"},
		{" s3cret \n", "s3cret", "blanks"},
		{"s3cret\u00a0", "s3cret", "blanks"},
		{`"s3cret"`, "s3cret", "quotes"},
		{"'s3cret'", "s3cret", "quotes"},
		{"Bearer s3cret", "s3cret", "a leading Bearer"},
		{"bearer\ts3cret", "s3cret", "a leading Bearer"},
		{"\ufeff \"Bearer  's3cret' \"\r\n", "s3cret", "a byte order mark, blanks, quotes, a leading Bearer"},
		{`"s3"cret"`, `"s3"cret"`, ""},
		{"Bearers3cret", "Bearers3cret", ""},
		{`"`, `"`, ""},
	}
	for _, variable := range []string{"BRIDGE_MKIO_TOKEN", "BRIDGE_ADMIN_TOKEN", "BRIDGE_WEBHOOK_SECRETS", "BRIDGE_NATS_TOKEN", "BRIDGE_NATS_READER_TOKEN"} {
		for _, test := range tests {
			for _, inFile := range []bool{false, true} {
				t.Run(variable, func(t *testing.T) {
					setting, value := variable, test.given
					if inFile {
						setting, value = variable+"_FILE", secretFile(t, test.given)
					}
					t.Setenv(setting, value)
					c, err := loadConfig()
					if err != nil {
						t.Fatal(err)
					}
					if got := c.secrets()[variable].value(); got != test.want {
						t.Errorf("%q is parsed as %q", test.given, got)
					}
					trimmed := c.trimmedSecrets()
					if test.warning == "" && len(trimmed) > 0 || test.warning != "" &&
						(len(trimmed) != 1 || trimmed[0].setting != setting || strings.Join(trimmed[0].ignored, ", ") != test.warning) {
						t.Errorf("%q: warned of %v", test.given, trimmed)
					}
				})
			}
		}
	}
}

func TestCharactersAroundListedSecretsAreIgnored(t *testing.T) {
	for given, want := range map[string]string{
		`"one","two"`: "one two", `"one,two"`: "one two", "'one', Bearer two": "one two", "one,\n \"two\"\n": "one two", "\ufeffone\r\ntwo\r\n": "one two",
	} {
		t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", secretFile(t, given))
		c, err := loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.WebhookSecrets.all(), " "); got != want {
			t.Errorf("%q is read as %q", given, got)
		}
	}
}

// A password may contain blanks and quotes.
func TestPasswordsAreNotTrimmed(t *testing.T) {
	for given, want := range map[string]string{"\ufeff \"pass\" \r\n": " \"pass\" ", "Bearer x": "Bearer x"} {
		t.Setenv("BRIDGE_NATS_PASSWORD_FILE", secretFile(t, given))
		c, err := loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.NatsPassword.value(); got != want {
			t.Errorf("%q is read as %q", given, got)
		}
	}
}

func TestUTF16SecretIsRefused(t *testing.T) {
	utf16File := func(mark bool) string {
		text := "s3cret\r\n"
		if mark {
			text = "\ufeff" + text
		}
		var content []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			content = append(content, byte(unit), byte(unit>>8))
		}
		return secretFile(t, string(content))
	}
	for _, mark := range []bool{true, false} {
		file := utf16File(mark)
		t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", file)
		if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "BRIDGE_WEBHOOK_SECRETS_FILE: "+file) || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestSecretOfOnlyIgnoredCharactersIsEmpty(t *testing.T) {
	for _, emptied := range []string{`""`, "\ufeff", " \n", "' '"} {
		t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", secretFile(t, emptied))
		if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("%q: the error is %v", emptied, err)
		}
	}
}

func TestReloadOfAUTF16FileKeepsTheSecret(t *testing.T) {
	file := secretFile(t, "former")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", file)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("\xff\xfen\x00e\x00w\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := c.WebhookSecrets.reload(); changed || err == nil || !strings.Contains(err.Error(), "UTF-16") || c.WebhookSecrets.value() != "former" {
		t.Errorf("changed %v, %v, %q", changed, err, c.WebhookSecrets.value())
	}
}

func TestStartAndDoctorWarnOfCharactersAroundASecret(t *testing.T) {
	t.Setenv("BRIDGE_MKIO_TOKEN", "Bearer REDACT-ME")
	t.Setenv("BRIDGE_WEBHOOK_SECRETS_FILE", secretFile(t, "\ufeffREDACT-ME"))
	t.Setenv("BRIDGE_NATS_URL", "nats://127.0.0.1:1")
	t.Setenv("BRIDGE_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_ADMIN_LISTEN", "127.0.0.1:0")
	t.Setenv("BRIDGE_MKIO_URL", "http://127.0.0.1:1")
	wants := []string{"BRIDGE_MKIO_TOKEN", "a leading Bearer", "BRIDGE_WEBHOOK_SECRETS_FILE", "a byte order mark"}
	wantOutput(t, exitUnreachable, append(wants, "characters around a secret are ignored"), "run")
	wantOutput(t, exitFailed, append(wants, "characters around the secret are ignored"), "doctor")
}

func TestCertificateAfterAByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	for _, file := range []string{cert, key} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append([]byte("\ufeff"), content...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, authorities, err := loadTLS(config{TLSCert: cert, TLSKey: key, TLSClientCA: cert})
	if err != nil {
		t.Fatal(err)
	}
	inForce, err := edge.TLSConfig(pair, authorities).GetConfigForClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	both := x509.NewCertPool()
	err = edge.AddCertificates(both, append(content, bytes.TrimPrefix(content, []byte("\ufeff"))...))
	if err != nil || !both.Equal(inForce.ClientCAs) {
		t.Errorf("the first of two certificates is skipped: %v", err)
	}
}
