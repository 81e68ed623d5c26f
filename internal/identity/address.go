package identity

import (
	"net/url"
	"strings"
)

// projectsPath is what follows the API's address in the source of every event.
const projectsPath = "/api/v1/projects/"

// Address writes the address of an API in the one form in which addresses are compared: scheme and host in lower case,
// without a default port and without slashes at the end. What is no address stays as it is.
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

// addressOf returns the address of the API that an event's source lies below; "" where the source tells none.
func addressOf(source string) string {
	base, _, ok := strings.Cut(source, projectsPath)
	if !ok || !strings.Contains(base, "://") {
		return ""
	}
	return Address(base)
}
