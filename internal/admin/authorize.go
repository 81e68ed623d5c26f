package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"time"

	"mkio-bridge/internal/problem"
)

// A role is what a client may do. Each role includes the ones before it.
type role uint8

const (
	anyone        role = iota // has shown no token
	viewer                    // reads everything, and verifies the log
	administrator             // does everything
)

func (r role) String() string { return [...]string{"anyone", "viewer", "admin"}[r] }

// A refusal is why a request is refused.
type refusal struct {
	status int
	detail string
}

func (r *refusal) write(w http.ResponseWriter) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
	}
	problem.Write(w, r.status, r.detail)
}

// guarded returns the handler of a route with all checks that come before it: origin, role, parameters.
func (a *API) guarded(route route) http.Handler {
	next := route.handler
	if route.follows {
		next = a.whileAuthorized(route.least, next)
	}
	if !route.anyQuery {
		next = withParameters(route.parameters, next)
	}
	return a.identified(sameOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // no cache may hand it to a client with another role
		if refused := a.authorize(r, route.least); refused != nil {
			refused.write(w)
			return
		}
		next(w, r)
	})))
}

// Headers of every response, which say who answers: behind a load balancer each request may reach another bridge.
const (
	instanceHeader = "Mkio-Bridge-Instance"
	versionHeader  = "Mkio-Bridge-Version"
)

// identified adds the headers that say who answers, also to errors.
func (a *API) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{instanceHeader: a.c.Instance, versionHeader: a.c.Version} {
			if value != "" {
				w.Header().Set(name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// authorize returns why the client of a request may not use a route; nil if it may. It is the only place that decides this.
func (a *API) authorize(r *http.Request, least role) *refusal {
	has, refused := a.roleOf(r)
	switch {
	case refused != nil && (least > anyone || refused.status == http.StatusForbidden):
		return refused
	case has < least:
		return &refusal{http.StatusForbidden, "viewers may not do this: use the admin token"}
	}
	return nil
}

// roleOf returns the role of a request: that of its bearer token, or else of its session. If no token is set, which
// [API.Register] allows on loopback only, requests whose Host header names this machine may do everything.
func (a *API) roleOf(r *http.Request) (role, *refusal) {
	if !a.hasToken() {
		if !localHost(r.Host) {
			return anyone, &refusal{http.StatusForbidden, "no admin token is set: only localhost and loopback hosts are allowed"}
		}
		return administrator, nil
	}
	if r.Header.Get("Authorization") != "" {
		if has, _ := a.bearer(r); has > anyone {
			return has, nil
		}
		return anyone, &refusal{http.StatusUnauthorized, "send the admin or viewer token as Authorization: Bearer"}
	}
	s, refused := a.sessionOf(r)
	return s.role, refused
}

// bearer returns the role of the bearer token of a request, and the token; anyone if it has none, or an unknown one. A token
// that is set for both roles is a viewer's.
func (a *API) bearer(r *http.Request) (role, string) {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return anyone, ""
	}
	for _, has := range []role{viewer, administrator} {
		if want := a.token(has); want != "" && sameToken(given, want) {
			return has, want
		}
	}
	return anyone, ""
}

// sameToken compares tokens in constant time.
func sameToken(given, want string) bool {
	g, t := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], t[:]) == 1
}

// token returns the current token of a role; "": none.
func (a *API) token(of role) string {
	switch {
	case of == administrator:
		return a.c.Token()
	case of == viewer && a.c.ViewerToken != nil:
		return a.c.ViewerToken()
	}
	return ""
}

// hasToken reports whether a token is set, so that requests need one.
func (a *API) hasToken() bool { return a.token(administrator) != "" || a.token(viewer) != "" }

// authorizationInterval is how often the role of the client of an open response is checked again.
const authorizationInterval = 15 * time.Second

// whileAuthorized ends the context of a request when its client has lost the role: the session has expired, or the token was
// replaced.
func (a *API) whileAuthorized(least role, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			ticker := time.NewTicker(authorizationInterval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if a.authorize(r, least) != nil {
					cancel()
				}
			}
		}()
		next(w, r.WithContext(ctx))
	}
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

// sameOrigin refuses requests other than GET and HEAD that a browser sends for a page of another origin (cross-site request
// forgery). On loopback without a token nothing else prevents it.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusForbidden, "cross-origin request refused")
	}))
	return protection.Handler(next)
}
