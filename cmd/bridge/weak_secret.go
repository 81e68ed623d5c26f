package main

import (
	"fmt"
	"slices"
	"strings"
)

// minSecretLength is the minimum number of characters of a secret that cannot be guessed by trial.
const minSecretLength = 16

// commonSecrets are secrets of manuals, examples and templates, in the form of plainLetters. Most are too short by
// themselves; they are listed because they are also repeated and extended.
var commonSecrets = []string{
	"changeme", "changethis", "replaceme", "replacethis", "secret", "supersecret", "topsecret", "mysecret", "yoursecret", "verysecret",
	"password", "passw0rd", "mypassword", "yourpassword", "defaultpassword", "token", "mytoken", "yourtoken", "admintoken", "apitoken",
	"webhooksecret", "yourwebhooksecret", "mywebhooksecret", "supersecrettoken", "secrettoken", "secretkey", "yoursecretkey", "yoursecrethere",
	"insertsecrethere", "mkiobridge", "mkiobridgesecret", "mkiowebhooksecret", "bridgesecret", "example", "examplesecret", "test", "testsecret",
	"default", "admin", "administrator", "letmein", "placeholder", "todo", "notasecret", "correcthorsebatterystaple",
	"0123456789", "1234567890", "0123456789abcdef", "1234567890abcdef", "1234567890123456", "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfgh", "qwertyuiopasdfghjklzxcvbnm",
}

// A weakSecret is a setting whose secret can be guessed, and why. It does not contain the secret.
type weakSecret struct{ setting, why string }

const secretAdvice = "replace it with a random one, e.g. from openssl rand -hex 32"

// weakSecrets returns the weak secrets of listeners that are reachable from outside this machine.
func (c config) weakSecrets() []weakSecret {
	var found []weakSecret
	for _, listener := range []struct {
		setting string
		addr    string
		secrets []string
	}{
		{"BRIDGE_WEBHOOK_SECRETS", c.Listen, c.WebhookSecrets.all()},
		{"BRIDGE_ADMIN_TOKEN", c.AdminListen, single(c.AdminToken)},
		{"BRIDGE_VIEWER_TOKEN", c.AdminListen, single(c.ViewerToken)},
		{readerTokenName, c.readersAddr(), single(c.NatsReaderToken)},
	} {
		if listener.addr == "" || loopback(listener.addr) {
			continue
		}
		for i, s := range listener.secrets {
			if why := weakness(s); why != "" {
				if len(listener.secrets) > 1 {
					why = fmt.Sprintf("number %d: %s", i+1, why)
				}
				found = append(found, weakSecret{listener.setting, why})
			}
		}
	}
	return found
}

// readersAddr returns the listen address of the embedded server; "" if there is none.
func (c config) readersAddr() string {
	if c.NatsURL != "" {
		return ""
	}
	return c.NatsListen
}

// single returns a secret that is not a list as a slice.
func single(s secret) []string {
	if s.value() == "" {
		return nil
	}
	return []string{s.value()}
}

// weakness returns why a secret is easily guessed; "" if it is not.
func weakness(s string) string {
	switch {
	case len([]rune(s)) < minSecretLength:
		return fmt.Sprintf("fewer than %d characters", minSecretLength)
	case isCommon(s):
		return "common in manuals and examples"
	case fewCharacters(s):
		return "few different characters"
	}
	return ""
}

// isCommon reports whether a secret is one of commonSecrets, also repeated or with digits around it
// (changeme-changeme-2024).
func isCommon(s string) bool {
	plain := plainLetters(s)
	return slices.ContainsFunc(commonSecrets, func(known string) bool {
		rest := strings.ReplaceAll(plain, known, "")
		return rest != plain && strings.Trim(rest, "0123456789") == ""
	})
}

// plainLetters returns the ASCII letters and digits of a text, in lower case.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// fewCharacters reports whether a text has fewer than five different characters.
func fewCharacters(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) < 5
}
