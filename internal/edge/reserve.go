package edge

import (
	"net/http"
	"slices"
)

// reservedPart of a listener's slots is for the paths of [Reserve].
const reservedPart = 8

// Reserve keeps an eighth of a listener's slots, and at least one, free for requests to some paths, such as health checks: other
// requests are refused while they use the rest of the slots. It needs [Listener.ConnState], which keeps idle connections from
// using the free ones.
func Reserve(slots int, paths []string, next http.Handler, refuse Refuser) http.Handler {
	others := make(chan struct{}, max(1, slots-max(1, slots/reservedPart))) // holds a token for each other request in flight
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(paths, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case others <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "5")
			refuse(w, r, http.StatusTooManyRequests, "too many requests are in flight: retry later")
			return
		}
		defer func() { <-others }()
		next.ServeHTTP(w, r)
	})
}
