package identity

import (
	"net/url"
	"strings"
)

// projectsPath follows the API's address in the source of every event.
const projectsPath = "/api/v1/projects/"

// Address normalises the address of an API for comparisons: scheme and host in lower case, without a default port and
// trailing slashes. An invalid address is returned unchanged.
func Address(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + strings.TrimSuffix(host, ":") + strings.TrimRight(u.EscapedPath(), "/")
}

// addressOf returns the API address in an event's source; "" if the source has none.
func addressOf(source string) string {
	base, _, ok := strings.Cut(source, projectsPath)
	if !ok || !strings.Contains(base, "://") {
		return ""
	}
	return Address(base)
}
