package rule

import (
	"errors"
	"net/url"
)

// Path is where a bridge takes deliveries.
const Path = "/webhooks/mkio"

// Address is where deliveries go, of a bridge whose public URL is given: without a path, [Path] is meant. A
// query is refused, since the rule shows it to everyone who may read rules.
func Address(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		// The parser's own words would repeat a password.
		return "", errors.New("it must be an https address without user, query and fragment, e.g. https://bridge.example.com")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = Path
	}
	return u.String(), nil
}

// origin is as much of an address as may be shown: a path or query of somebody else's may be secret.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "an address that cannot be read"
	}
	return u.Scheme + "://" + u.Host
}
