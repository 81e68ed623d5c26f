package main

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync"
)

// masked is printed in place of a secret.
const masked = "[masked]"

// A secret is a setting that must never be printed or logged. It comes from its variable, or from a file that is reloaded
// when it changes. All its string forms are masked.
type secret struct{ source *secretSource }

type secretSource struct {
	file string // "" when it came from its variable
	form secretForm

	mu      sync.RWMutex
	value   string
	ignored []string // the characters around the secret that [secretForm.read] left out
}

// Decode sets the secret from its own variable. It never fails, because envconfig's error would print the value.
func (s *secret) Decode(value string) error {
	s.source = &secretSource{value: value}
	return nil
}

// String masks the secret.
func (s secret) String() string {
	if len(s.all()) == 0 {
		return ""
	}
	return masked
}

// GoString masks the secret.
func (s secret) GoString() string { return s.String() }

// LogValue masks the secret.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// value returns the current secret; "" if none is set.
func (s secret) value() string {
	if s.source == nil {
		return ""
	}
	s.source.mu.RLock()
	defer s.source.mu.RUnlock()
	return s.source.value
}

// all returns the items of a comma-separated secret.
func (s secret) all() []string { return splitList(s.value()) }

// reload reads the secret's file, if it has one, and reports whether the secret changed. On an error the current secret
// stays in use. An emptied file is an error.
func (s secret) reload() (changed bool, err error) {
	if s.source == nil || s.source.file == "" {
		return false, nil
	}
	content, err := os.ReadFile(s.source.file)
	if err != nil {
		return false, err
	}
	value, ignored, err := s.source.form.read(string(content))
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.source.file, err)
	}
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	if len(splitList(value)) == 0 && len(splitList(s.source.value)) > 0 {
		// The file may be half written, and without a secret every request would be accepted.
		return false, fmt.Errorf("%s is empty", s.source.file)
	}
	changed = value != s.source.value
	s.source.value, s.source.ignored = value, ignored
	return changed, nil
}

// trim extracts the secret from the text of its variable.
func (s secret) trim(form secretForm) error {
	value, ignored, err := form.read(s.source.value)
	if err != nil {
		return err
	}
	s.source.value, s.source.ignored = value, ignored
	return nil
}

// resolveSecrets reads the secrets whose _FILE variable is set, and trims the others.
func (c *config) resolveSecrets(lookup func(string) (string, bool)) error {
	for name, field := range c.secrets() {
		file, ok := lookup(name + fileSuffix)
		if !ok || file == "" {
			continue
		}
		if field.value() != "" {
			return fmt.Errorf("%s and %s%s are both set: set one", name, name, fileSuffix)
		}
		field.source = &secretSource{file: file, form: formOf(name)}
		if _, err := field.reload(); err != nil {
			return fmt.Errorf("%s%s: %w", name, fileSuffix, err)
		}
		if len(field.all()) == 0 {
			return fmt.Errorf("%s%s: %s is empty: fill it, or unset the variable", name, fileSuffix, file)
		}
	}
	for name, field := range c.secrets() {
		if field.source != nil && field.source.file == "" {
			if err := field.trim(formOf(name)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if field.source != nil && len(field.all()) == 0 {
			return fmt.Errorf("%s is set, but empty: unset it for no secret", name) // an operator who sets it expects protection
		}
	}
	return nil
}

// fileSuffix is added to a secret's variable to name its file.
const fileSuffix = "_FILE"

// secrets returns the secrets by their variables.
func (c *config) secrets() map[string]*secret {
	found := map[string]*secret{}
	v := reflect.ValueOf(c).Elem()
	for i, name := range variables() {
		if s, ok := reflect.TypeAssert[*secret](v.Field(i).Addr()); ok {
			found[name] = s
		}
	}
	return found
}
