package main

import (
	"net/http"
	"net/http/pprof" // it also registers with a mux of net/http's that nobody serves
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mkio-bridge/internal/problem"
	"mkio-bridge/schemas"
)

// webhookPath is the address that a rule of MK.IO delivers to.
const webhookPath = "/webhooks/mkio"

// publicRoutes is all that the public listener has: the webhook's path, which may end in a slash. A ServeMux would redirect
// what is nearly it, secret in the query and all.
func (b *bridge) publicRoutes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") != webhookPath || r.URL.RawPath != "" {
			b.ingest.Refuse(w, r, http.StatusNotFound, "there is nothing at this path: deliveries are taken at "+webhookPath)
			return
		}
		b.ingest.ServeHTTP(w, r)
	})
}

// adminRoutes is what operators see. /v1 needs a token; without one it is there on loopback alone.
func (b *bridge) adminRoutes(loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", b.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /schemas/{name}", schema)
	if b.config.AdminToken.value() != "" || loopback {
		mux.Handle("GET /v1/resources", b.authorized(known(resourceParameters, b.readings.long(b.listResources))))
		mux.Handle("GET /v1/resources/{kind}/{project}/{name...}", b.authorized(known(nil, b.getResource)))
		mux.Handle("GET /v1/events", b.authorized(known(eventParameters, b.readings.long(b.streamEvents))))
		mux.Handle("POST /v1/unapplied/{sequence}/retry", sameOrigin(b.authorized(known(retryParameters, b.retryUnapplied))))
		mux.Handle("GET /v1/log-level", b.authorized(known(nil, b.getLogLevel)))
		mux.Handle("PUT /v1/log-level", sameOrigin(b.authorized(known(nil, b.setLogLevel))))
		if b.config.Pprof {
			b.profileRoutes(mux)
		}
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// profileRoutes are those of Go's profiles. A profile may take longer than other answers: pprof itself moves the
// server's deadline.
func (b *bridge) profileRoutes(mux *http.ServeMux) {
	mux.Handle("GET /debug/pprof/", b.authorized(pprof.Index))
	mux.Handle("GET /debug/pprof/profile", b.authorized(pprof.Profile))
	mux.Handle("GET /debug/pprof/trace", b.authorized(pprof.Trace))
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem.Write(w, http.StatusNotFound, "there is nothing at this address")
}

// schema serves a file of the public contract by its name.
func schema(w http.ResponseWriter, r *http.Request) {
	content, err := schemas.Read(r.PathValue("name"))
	if err != nil {
		problem.Write(w, http.StatusNotFound, "there is no such file: they are "+strings.Join(schemas.Names(), ", "))
		return
	}
	w.Header().Set("Content-Type", schemas.MediaType(r.PathValue("name")))
	_, _ = w.Write(content) // the reader may be gone
}

func (b *bridge) readyz(w http.ResponseWriter, r *http.Request) {
	stops := b.stopping.Err() != nil
	b.lameDuck.Asked(stops)
	if stops {
		problem.Write(w, http.StatusServiceUnavailable, "the bridge stops")
		return
	}
	if err := b.ready(r.Context()); err != nil {
		problem.Write(w, http.StatusServiceUnavailable, err.Error())
	}
}
