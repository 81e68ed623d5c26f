package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"mkio-bridge/internal/problem"
)

// authorized lets requests with the admin token pass. Without a token, which [API.Register] allows on loopback alone, it lets
// those pass that name this machine as their host.
func (a *API) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := a.c.Token()
		if want == "" && !localHost(r.Host) {
			problem.Write(w, http.StatusForbidden, "without an admin token this is for localhost and loopback addresses alone")
			return
		}
		if want != "" {
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			g, t := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
			if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(g[:], t[:]) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
				problem.Write(w, http.StatusUnauthorized, "send the admin token as Authorization: Bearer")
				return
			}
		}
		next(w, r)
	})
}

// localHost says whether a Host header names this machine. It keeps out DNS rebinding: a browser's page whose name was made
// to resolve to loopback sends that name.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// sameOrigin refuses cross-site request forgery: what a browser sends for a page of another origin. On loopback without a
// token nothing else would keep it out.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusForbidden, "a page of another origin may not ask for this")
	}))
	return protection.Handler(next)
}
