package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"mkio-bridge/internal/problem"
)

// authorized lets requests with the admin token pass; on loopback without a token, every request.
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

// localHost says whether a request was addressed to this machine. A page of elsewhere, whose name is made to resolve to
// loopback, has its own name there.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// sameOrigin refuses what a page of elsewhere has a browser send: on loopback no token keeps it out.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusForbidden, "a page of another origin may not ask for this")
	}))
	return protection.Handler(next)
}
