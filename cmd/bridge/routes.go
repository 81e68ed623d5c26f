package main

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/admin/console"
	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/problem"
	"mkio-bridge/internal/rule"
	"mkio-bridge/schemas"
)

// webhookPath is the only path of the public listener, and the path of the webhook rule that the bridge registers.
const webhookPath = rule.WebhookPath

// publicRoutes serves webhookPath, with or without a trailing slash, and nothing else. It is not a ServeMux, which would
// redirect similar paths, and repeat a secret of the query in the Location header.
func (b *bridge) publicRoutes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") != webhookPath || r.URL.RawPath != "" {
			b.ingest.Refuse(w, r, http.StatusNotFound, "endpoint not found: deliveries are accepted at "+webhookPath)
			return
		}
		b.ingest.ServeHTTP(w, r)
	})
}

// adminRoutes serves the admin listener. Package admin adds /v1, which needs a token; if none is set, /v1 is served on
// loopback only. The other routes need no token.
func (b *bridge) adminRoutes(loopback bool) http.Handler {
	mux := http.NewServeMux()
	b.registerAdminRoutes(mux, loopback)
	return admin.Secured(mux)
}

// healthPaths are answered whatever else the admin listener is asked for: see [edge.Reserve].
var healthPaths = []string{"/livez", "/readyz", "/metrics"}

// registerAdminRoutes adds the routes of the admin listener to a mux.
func (b *bridge) registerAdminRoutes(mux admin.Mux, loopback bool) {
	mux.Handle("GET /livez", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	mux.Handle("GET /readyz", http.HandlerFunc(b.readyz))
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("GET /schemas/{name}", http.HandlerFunc(schema))
	admin.New(admin.Config{
		Events:   b.events,
		Heads:    b.publisher,
		Progress: b.progressOf,
		Status:   b.status,
		Retrier:  b.ingest,
		LogLevel: b.config.LogLevel.now,
		Token:    func() string { return b.config.AdminToken.value() },
		Loopback: loopback,
		Pprof:    b.config.Pprof,
		Stopping: b.stopping,
		Log:      b.log,
		Instance: instanceName(),
		Version:  version(),

		Connections: edge.Slots(adminShare),

		Jobs:        b.jobs,
		Verify:      b.verify,
		Doctor:      b.examine,
		Settings:    b.config.settings,
		ViewerToken: func() string { return b.config.ViewerToken.value() },
	}).Register(mux)
	if b.config.Console {
		console.Register(mux)
	}
	mux.Handle("/", http.HandlerFunc(notFound))
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem.Write(w, http.StatusNotFound, "endpoint not found")
}

// schema serves a schema file by its name.
func schema(w http.ResponseWriter, r *http.Request) {
	content, err := schemas.Read(r.PathValue("name"))
	if err != nil {
		problem.Write(w, http.StatusNotFound, "unknown schema: the schemas are "+strings.Join(schemas.Names(), ", "))
		return
	}
	w.Header().Set("Content-Type", schemas.MediaType(r.PathValue("name")))
	_, _ = w.Write(content) //nolint:gosec // content is one of the schema files; a write error means that the client is gone
}

// readyz responds 200 without a body while the bridge can store deliveries and is not stopping, else 503 with the reason.
func (b *bridge) readyz(w http.ResponseWriter, r *http.Request) {
	stops := b.stopping.Err() != nil
	b.lameDuck.Probed(stops)
	if stops {
		problem.Write(w, http.StatusServiceUnavailable, "the bridge is stopping")
		return
	}
	if err := b.ready(r.Context()); err != nil {
		problem.Write(w, http.StatusServiceUnavailable, err.Error())
	}
}
