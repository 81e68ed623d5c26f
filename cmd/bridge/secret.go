package main

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync"
)

// masked stands wherever a secret would.
const masked = "[masked]"

// A secret is a setting that nobody may see. It comes from its variable, or from a file that is read
// again when it changes. Every way of printing it masks it.
type secret struct{ source *secretSource }

type secretSource struct {
	file string // "" when it came from its variable
	form secretForm

	mu     sync.RWMutex
	value  string
	around []string // what was left out of the text
}

// Decode takes the value of the secret's own variable. It never fails, since the failure would show it.
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

// value is the secret as it is now.
func (s secret) value() string {
	if s.source == nil {
		return ""
	}
	s.source.mu.RLock()
	defer s.source.mu.RUnlock()
	return s.source.value
}

// all is the secret as a comma-separated list.
func (s secret) all() []string { return splitList(s.value()) }

// reload reads the secret's file, if it has one, and says whether it changed. A file that was emptied is
// an error: what it held before stays in force.
func (s secret) reload() (changed bool, err error) {
	if s.source == nil || s.source.file == "" {
		return false, nil
	}
	content, err := os.ReadFile(s.source.file)
	if err != nil {
		return false, err
	}
	value, around, err := s.source.form.read(string(content))
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.source.file, err)
	}
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	if len(splitList(value)) == 0 && len(splitList(s.source.value)) > 0 {
		// Perhaps half written; and no secret would let everybody in.
		return false, fmt.Errorf("%s is empty", s.source.file)
	}
	changed = value != s.source.value
	s.source.value, s.source.around = value, around
	return changed, nil
}

// unwrap reads the secret out of the text that its variable holds.
func (s secret) unwrap(form secretForm) error {
	value, around, err := form.read(s.source.value)
	if err != nil {
		return err
	}
	s.source.value, s.source.around = value, around
	return nil
}

// resolveSecrets gives each secret whose _FILE variable is set the content of that file.
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
			if err := field.unwrap(formOf(name)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if field.source != nil && len(field.all()) == 0 {
			return fmt.Errorf("%s is set, but empty: unset it where there is to be none", name) // who set it meant to be safe
		}
	}
	return nil
}

// fileSuffix makes of a secret's variable the one that names its file.
const fileSuffix = "_FILE"

// secrets returns the secrets by variable.
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
