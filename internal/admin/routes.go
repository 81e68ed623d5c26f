package admin

import (
	"net/http"
	"net/http/pprof" // also registers with http.DefaultServeMux, which is not served
)

// A route is an endpoint, with who may use it.
type route struct {
	pattern    string   // as [http.ServeMux] takes it
	least      role     // the lowest role that may use it
	parameters []string // of the query; others are refused
	handler    http.HandlerFunc

	anyQuery bool // the handler reads the query itself: parameters is not used
	follows  bool // the response may stay open: it ends when its client loses the role
}

// routes is the table of all endpoints. What is not in it is not served: [API.Register] has no other source.
func (a *API) routes() []route {
	routes := []route{
		{pattern: "GET /v1/resources", least: viewer, parameters: resourceParameters, handler: a.listResources},
		{pattern: "GET /v1/resources/{kind}/{project}/{name...}", least: viewer, handler: a.getResource},
		{pattern: "GET /v1/events", least: viewer, parameters: eventParameters, handler: a.getEvents, follows: true},
		{pattern: "GET /v1/status", least: viewer, handler: a.getStatus},
		{pattern: "GET /v1/unapplied", least: viewer, parameters: unappliedParameters, handler: a.readers.limited(a.listUnapplied)},
		{pattern: "GET /v1/unapplied/{sequence}", least: viewer, parameters: unappliedBodyParameters, handler: a.getUnapplied},
		{pattern: "POST /v1/unapplied/{sequence}/retry", least: administrator, parameters: retryParameters, handler: a.retryUnapplied},
		{pattern: "GET /v1/audit", least: viewer, parameters: auditParameters, handler: a.readers.limited(a.getAudit)},
		{pattern: "GET /v1/notify", least: viewer, handler: a.readers.limited(a.getNotify)},
		{pattern: "GET /v1/evidence", least: viewer, parameters: evidenceParameters, handler: a.readers.limited(a.getEvidence)},
		{pattern: "POST /v1/verify", least: viewer, parameters: verifyParameters, handler: a.startVerify},
		{pattern: "POST /v1/doctor", least: administrator, handler: a.startDoctor},
		{pattern: "GET /v1/jobs", least: viewer, handler: a.listJobs},
		{pattern: "GET /v1/jobs/{id}", least: viewer, handler: a.getJob},
		{pattern: "GET /v1/config", least: viewer, handler: a.getConfig},
		{pattern: "POST /v1/session", least: viewer, handler: a.beginSession},
		{pattern: "GET /v1/session", least: viewer, handler: a.getSession},
		{pattern: "DELETE /v1/session", least: anyone, handler: a.endSession},
		{pattern: "GET /v1/log-level", least: viewer, handler: a.getLogLevel},
		{pattern: "PUT /v1/log-level", least: administrator, handler: a.setLogLevel},
	}
	if a.c.Pprof {
		routes = append(routes, profileRoutes()...)
	}
	return routes
}

// profileRoutes are Go's profiles. A profile may take longer than the server's write timeout: pprof itself extends the
// deadline.
func profileRoutes() []route {
	return []route{
		{pattern: "GET /debug/pprof/", least: administrator, handler: pprof.Index, anyQuery: true},
		{pattern: "GET /debug/pprof/profile", least: administrator, handler: pprof.Profile, anyQuery: true},
		{pattern: "GET /debug/pprof/trace", least: administrator, handler: pprof.Trace, anyQuery: true},
	}
}

// A Mux is what [API.Register] needs of an [http.ServeMux].
type Mux interface {
	Handle(pattern string, handler http.Handler)
}

// Register adds the API's routes to a mux. Without a token it adds them only if the listener is on loopback.
func (a *API) Register(mux Mux) {
	if !a.hasToken() && !a.c.Loopback {
		return
	}
	for _, r := range a.routes() {
		mux.Handle(r.pattern, a.guarded(r))
	}
}
