package main

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/problem"
	"mkio-bridge/internal/rule"
	"mkio-bridge/schemas"
)

// webhookPath is the one path of the public listener; the webhook rule that the bridge registers has it too.
const webhookPath = rule.Path

// publicRoutes is all that the public listener has: the webhook's path, which may end in a slash. It is no ServeMux, because
// that would redirect a path which is nearly the webhook's, and repeat a secret in the query.
func (b *bridge) publicRoutes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") != webhookPath || r.URL.RawPath != "" {
			b.ingest.Refuse(w, r, http.StatusNotFound, "there is nothing at this path: deliveries are taken at "+webhookPath)
			return
		}
		b.ingest.ServeHTTP(w, r)
	})
}

// adminRoutes is all that the admin listener has. Package admin adds /v1, which needs a token; without one it is served on
// loopback alone. The other routes need none.
func (b *bridge) adminRoutes(loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", b.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /schemas/{name}", schema)
	admin.New(admin.Config{
		Events:   b.events,
		Retrier:  b.ingest,
		LogLevel: b.config.LogLevel.now,
		Token:    func() string { return b.config.AdminToken.value() },
		Loopback: loopback,
		Pprof:    b.config.Pprof,
		Stopping: b.stopping,
		Log:      b.log,
	}).Register(mux)
	mux.HandleFunc("/", notFound)
	return mux
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
	_, _ = w.Write(content) //nolint:gosec // a file of the contract, whatever was asked for; the reader may be gone
}

// readyz answers 200 without a body when the bridge can store deliveries and is not told to stop, and else 503 with the reason.
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
