package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// A secretSource names where a secret is. Its errors name the source and never the secret.
type secretSource struct {
	what      string // the setting, e.g. url
	file, env string
	getenv    func(string) string
}

// check refuses a source with two origins.
func (s secretSource) check() error {
	if s.file != "" && s.env != "" {
		return fmt.Errorf("%sFile and %sEnv are both set: leave one", s.what, s.what)
	}
	return nil
}

// isSet reports whether the configuration names a secret.
func (s secretSource) isSet() bool { return s.file != "" || s.env != "" }

// read returns the current secret, without white space around it and without the byte order mark that some tools write. A
// file is read each time, because mounted secrets change while the program runs.
func (s secretSource) read() (string, error) {
	if s.file == "" {
		if value := strings.TrimSpace(s.getenv(s.env)); value != "" {
			return value, nil
		}
		return "", fmt.Errorf("%sEnv: the variable %s is not set, or empty", s.what, s.env)
	}
	content, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("%sFile: %w", s.what, err)
	}
	value := strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff"))
	if value == "" {
		return "", fmt.Errorf("%sFile: %s is empty", s.what, s.file)
	}
	return value, nil
}

// errNoURL is for a target without an address.
var errNoURL = errors.New("the target has no address: set urlFile or urlEnv")
