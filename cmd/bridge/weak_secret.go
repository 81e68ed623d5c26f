package main

import (
	"fmt"
	"slices"
	"strings"
)

// leastSecret is how many characters a secret has at the least that cannot be tried out.
const leastSecret = 16

// commonSecrets are of manuals, examples and templates, as plainLetters leaves them. Shorter ones are weak by their length.
var commonSecrets = []string{
	"changeme", "changethis", "replaceme", "replacethis", "secret", "supersecret", "topsecret", "mysecret", "yoursecret", "verysecret",
	"password", "passw0rd", "mypassword", "yourpassword", "defaultpassword", "token", "mytoken", "yourtoken", "admintoken", "apitoken",
	"webhooksecret", "yourwebhooksecret", "mywebhooksecret", "supersecrettoken", "secrettoken", "secretkey", "yoursecretkey", "yoursecrethere",
	"insertsecrethere", "mkiobridge", "mkiobridgesecret", "mkiowebhooksecret", "bridgesecret", "example", "examplesecret", "test", "testsecret",
	"default", "admin", "administrator", "letmein", "placeholder", "todo", "notasecret", "correcthorsebatterystaple",
	"0123456789", "1234567890", "0123456789abcdef", "1234567890abcdef", "1234567890123456", "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfgh", "qwertyuiopasdfghjklzxcvbnm",
}

// A weakSecret is one that somebody who can reach its listener may guess. It does not hold the secret.
type weakSecret struct{ setting, why string }

const secretAdvice = "replace it with a random one, such as openssl rand -hex 32 makes"

// weakSecrets are those of listeners that others than this machine can reach.
func (c config) weakSecrets() []weakSecret {
	var found []weakSecret
	for _, guarded := range []struct {
		setting string
		addr    string
		secrets []string
	}{
		{prefix + "_WEBHOOK_SECRETS", c.Listen, c.WebhookSecrets.all()},
		{prefix + "_ADMIN_TOKEN", c.AdminListen, whole(c.AdminToken)},
		{readerTokenName, c.readersAddr(), whole(c.NatsReaderToken)},
	} {
		if guarded.addr == "" || loopback(guarded.addr) {
			continue
		}
		for i, s := range guarded.secrets {
			if why := weakness(s); why != "" {
				if len(guarded.secrets) > 1 {
					why = fmt.Sprintf("number %d: %s", i+1, why)
				}
				found = append(found, weakSecret{guarded.setting, why})
			}
		}
	}
	return found
}

// readersAddr is the address of the embedded server's port; "" where there is none.
func (c config) readersAddr() string {
	if c.NatsURL != "" {
		return ""
	}
	return c.NatsListen
}

// whole is a secret that is no list.
func whole(s secret) []string {
	if s.value() == "" {
		return nil
	}
	return []string{s.value()}
}

// weakness says why a secret is easily guessed; "" where it is not.
func weakness(s string) string {
	switch {
	case len([]rune(s)) < leastSecret:
		return fmt.Sprintf("it has fewer than %d characters", leastSecret)
	case common(s):
		return "it is one of manuals and examples"
	case fewLetters(s):
		return "it repeats a few characters"
	}
	return ""
}

// common says whether a text is one of manuals, perhaps repeated or with digits around it (changeme-changeme-2024).
func common(s string) bool {
	plain := plainLetters(s)
	return slices.ContainsFunc(commonSecrets, func(known string) bool {
		rest := strings.ReplaceAll(plain, known, "")
		return rest != plain && strings.Trim(rest, "0123456789") == ""
	})
}

// plainLetters leaves the letters and digits of a text, in lower case.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// fewLetters says whether a text has fewer than five different characters.
func fewLetters(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) < 5
}
