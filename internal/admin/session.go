package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mkio-bridge/internal/problem"
)

// A session is a cookie that stands for a token, for a browser: an EventSource cannot send a bearer token. Nothing is stored.
// The cookie's value is
//
//	v1.<expiry, seconds since 1970>.<role>.<HMAC-SHA256 of what precedes it, keyed by the token; base64url>
//
// so that every bridge with the same token accepts it, and none does once the token was replaced.
type session struct {
	role    role
	expires time.Time
}

// A sessionView is the response of GET and POST /v1/session.
type sessionView struct {
	Role    string     `json:"role"`              // admin or viewer
	Expires *time.Time `json:"expires,omitempty"` // when the cookie ends; absent without one
}

const (
	sessionLife    = 12 * time.Hour
	sessionName    = "mkio-bridge-session"
	sessionVersion = "v1"
)

// beginSession answers a request with a bearer token with a cookie that stands for it, and {"role", "expires"}. A session does not
// begin another one (403): it would never end. Where no token is set there is no cookie, because none is needed.
func (a *API) beginSession(w http.ResponseWriter, r *http.Request) {
	if !a.hasToken() {
		writeJSON(w, sessionView{Role: administrator.String()})
		return
	}
	has, token := a.bearer(r)
	if has == anyone {
		problem.Write(w, http.StatusForbidden, "a session needs a token: send it as Authorization: Bearer")
		return
	}
	s := session{has, time.Now().Add(sessionLife).UTC().Truncate(time.Second)}
	cookie := sessionCookie(r) //nolint:gosec // Secure only where TLS is: see sessionCookie
	cookie.Value, cookie.Expires, cookie.MaxAge = s.sign(token), s.expires, int(sessionLife/time.Second)
	http.SetCookie(w, cookie)
	writeJSON(w, sessionView{s.role.String(), &s.expires})
}

// getSession answers with the role of the request, and when its session expires: {"role", "expires"}.
func (a *API) getSession(w http.ResponseWriter, r *http.Request) {
	has, _ := a.roleOf(r) // authorized
	view := sessionView{Role: has.String()}
	if s, refused := a.sessionOf(r); refused == nil && r.Header.Get("Authorization") == "" {
		view.Expires = &s.expires
	}
	writeJSON(w, view)
}

// endSession removes the cookie from the browser. A copy of it stays valid until it expires, or until the token is replaced.
func (a *API) endSession(w http.ResponseWriter, r *http.Request) {
	cookie := sessionCookie(r) //nolint:gosec // Secure only where TLS is: see sessionCookie
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
	w.WriteHeader(http.StatusNoContent)
}

// sessionOf returns the session of a request's cookie. Several cookies may have its name: one that was set for a parent domain,
// say. The first valid one counts.
func (a *API) sessionOf(r *http.Request) (session, *refusal) {
	refused := &refusal{http.StatusUnauthorized, "send the admin or viewer token as Authorization: Bearer"}
	for _, cookie := range r.CookiesNamed(sessionCookie(r).Name) {
		s, ok := a.verifySession(cookie.Value)
		switch {
		case !ok:
			refused.detail = "the session is not valid, or has ended because its token was replaced: sign in again"
		case !time.Now().Before(s.expires):
			refused.detail = "the session has expired: sign in again"
		default:
			return s, nil
		}
	}
	return session{}, refused
}

// verifySession parses the value of a cookie, and reports whether it was signed with the current token of its role.
func (a *API) verifySession(value string) (session, bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 4 || parts[0] != sessionVersion {
		return session{}, false
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return session{}, false
	}
	for _, has := range []role{viewer, administrator} {
		s := session{has, time.Unix(seconds, 0).UTC()}
		if token := a.token(has); token != "" && parts[2] == has.String() && hmac.Equal([]byte(s.sign(token)), []byte(value)) {
			return s, true
		}
	}
	return session{}, false
}

// sign returns the value of the session's cookie.
func (s session) sign(token string) string {
	text := sessionVersion + "." + strconv.FormatInt(s.expires.Unix(), 10) + "." + s.role.String()
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sessionCookie returns the cookie of the address that the client uses, without a value. Browsers send a cookie to every port of
// a host, so its name has the port: two bridges on one host have different sessions.
func sessionCookie(r *http.Request) *http.Cookie {
	name := sessionName
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		if number, err := strconv.ParseUint(port, 10, 16); err == nil {
			name += "-" + strconv.FormatUint(number, 10)
		}
	}
	return &http.Cookie{Name: name, Path: "/", HttpOnly: true, Secure: overTLS(r), SameSite: http.SameSiteStrictMode} //nolint:gosec // on loopback there is no TLS, and no Secure cookie
}

// overTLS reports whether the client's connection is encrypted. The admin listener has no TLS: a proxy in front of it says so,
// or the page's own origin, which the browser sends.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://") || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
