package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"mkio-bridge/internal/problem"
)

// authorized passes on requests with the admin token, and refuses others. If no token is set, which [API.Register] allows on
// loopback only, it passes on requests whose Host header names this machine.
func (a *API) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := a.c.Token()
		if want == "" && !localHost(r.Host) {
			problem.Write(w, http.StatusForbidden, "no admin token is set: only localhost and loopback hosts are allowed")
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

// localHost reports whether a Host header names this machine. It prevents DNS rebinding: a page whose host name an attacker
// resolves to loopback sends that name.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// sameOrigin refuses requests that a browser sends for a page of another origin (cross-site request forgery). On loopback
// without a token nothing else prevents it.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusForbidden, "cross-origin request refused")
	}))
	return protection.Handler(next)
}
