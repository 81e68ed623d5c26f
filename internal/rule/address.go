package rule

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Path is where a bridge takes deliveries.
const Path = "/webhooks/mkio"

// Address is where deliveries go, of a bridge whose public URL is given. Without a path [Path] is meant. A path must end in
// it: what stands before it is for a proxy to take off. Slashes that are too many are taken off here. A query is refused,
// since the rule shows it to everyone who may read rules.
func Address(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// The parser's own words would repeat a password.
		return "", errors.New("it must be an https address without user, query and fragment, e.g. https://bridge.example.com")
	}
	clean := path.Clean("/" + u.Path)
	switch {
	case clean == "/":
		clean = Path
	case !strings.HasSuffix(clean, Path) || u.RawPath != "":
		return "", fmt.Errorf("the bridge takes deliveries at %s alone and would answer 404: leave the path out, or let it end in %[1]s where a proxy takes off what stands before it", Path)
	}
	u.Path = clean
	return u.String(), nil
}

// Same says whether two addresses are one to a bridge, which takes deliveries with and without a slash at the end.
func Same(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

// origin is as much of an address as may be shown: a path or query of somebody else's may be secret.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "an address that cannot be read"
	}
	return u.Scheme + "://" + u.Host
}
