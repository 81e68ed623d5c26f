package rule

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// WebhookPath is where a bridge serves webhook deliveries.
const WebhookPath = "/webhooks/mkio"

// Address returns the URL for deliveries to a bridge, given its public URL. Without a path, [WebhookPath] is added. A path must end in it:
// what comes before is for a proxy to strip. Duplicate slashes are removed. A query is an error, because everyone who may read
// rules can read it.
func Address(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// The parser's error would contain a password.
		return "", errors.New("must be an https URL without user, query and fragment, e.g. https://bridge.example.com")
	}
	clean := path.Clean("/" + u.Path)
	switch {
	case clean == "/":
		clean = WebhookPath
	case !strings.HasSuffix(clean, WebhookPath) || u.RawPath != "":
		return "", fmt.Errorf("path must be empty or end in %s, where a proxy strips what comes before it: the bridge responds 404 at any other path", WebhookPath)
	}
	u.Path = clean
	return u.String(), nil
}

// SameAddress reports whether two URLs are the same for a bridge, which serves deliveries with and without a slash at the end.
func SameAddress(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

// origin returns scheme and host of a URL. Path and query may be secret where the URL is another system's.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "a URL that cannot be parsed"
	}
	return u.Scheme + "://" + u.Host
}
