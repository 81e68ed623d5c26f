package chart

import (
	"regexp"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// exposed are paths below the base path of the console, and the path at which the bridge gets the request; "": it gets none. Health
// and metrics need no token, so they are not exposed.
var exposed = map[string]string{
	"/console": "/console", "/console/": "/console/", "/console/screens/now.js": "/console/screens/now.js", "/v1/status": "/v1/status",
	"/metrics": "", "/readyz": "", "/livez": "", "/debug/pprof/": "", "/schemas/event.schema.json": "",
}

func TestConsoleIngress(t *testing.T) {
	r := mustRender(t, "console: {ingress: {enabled: true, className: nginx, hosts: [ops.example.com], tls: [{hosts: [ops.example.com]}]}}")
	ingress := one[*networking.Ingress](t, r)
	if *ingress.Spec.IngressClassName != "nginx" || ingress.Spec.TLS[0].Hosts[0] != "ops.example.com" {
		t.Errorf("Ingress %+v", ingress.Spec)
	}
	var prefixes []string
	for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
		service := one[*core.Service](t, r, path.Backend.Service.Name)
		if *path.PathType != networking.PathTypePrefix || service.Spec.Ports[0].TargetPort.StrVal != "admin" || path.Backend.Service.Port.Name != service.Spec.Ports[0].Name {
			t.Errorf("path %+v leads to %+v", path, service.Spec)
		}
		prefixes = append(prefixes, path.Path)
	}
	for path, want := range exposed {
		got := ""
		for _, prefix := range prefixes {
			if isBelow(path, prefix) {
				got = path
			}
		}
		if got != want {
			t.Errorf("%s reaches the bridge as %q, want %q", path, got, want)
		}
	}
}

// The regular expression of the documentation, which a file under ci/ has, removes the base path.
func TestConsoleIngressWithBasePath(t *testing.T) {
	r, err := render(documented(t)["observed"])
	if err != nil {
		t.Fatal(err)
	}
	ingress := one[*networking.Ingress](t, r, "bridge-mkio-bridge-console")
	path := ingress.Spec.Rules[0].HTTP.Paths[0]
	if *path.PathType != networking.PathTypeImplementationSpecific || !strings.Contains(string(file(t, chartDir+"/README.md")), path.Path) {
		t.Errorf("path %+v", path)
	}
	pattern := regexp.MustCompile("^" + path.Path) // as ingress-nginx does
	target := strings.ReplaceAll(ingress.Annotations["nginx.ingress.kubernetes.io/rewrite-target"], "$1", "${1}")
	for path, want := range exposed {
		got := ""
		if match := pattern.FindStringSubmatchIndex("/mkio-bridge" + path); match != nil {
			got = string(pattern.ExpandString(nil, target, "/mkio-bridge"+path, match))
		}
		if got != want {
			t.Errorf("%s reaches the bridge as %q, want %q", path, got, want)
		}
	}
}

func TestConsoleRoute(t *testing.T) {
	for _, base := range []string{"", "/mkio-bridge", "/ops/bridge/"} {
		r := mustRender(t, "{console: {httpRoute: {enabled: true, parentRefs: [{name: internal}], path: '"+base+"'}}, adminService: {port: 80}}")
		base = strings.TrimSuffix(base, "/")
		route := one[*gateway.HTTPRoute](t, r)
		for path, want := range exposed {
			if got := routed(t, r, route, base+path); got != want {
				t.Errorf("%s%s reaches the bridge as %q, want %q", base, path, got, want)
			}
		}
		for _, path := range []string{base, base + "/"} {
			if path == "" {
				continue
			}
			if got := routed(t, r, route, path); got != "redirect to "+base+"/console/" {
				t.Errorf("%s: %q", path, got)
			}
		}
	}
}

// routed returns the path at which the bridge gets a request, or where the request is redirected to.
func routed(t *testing.T, r *rendering, route *gateway.HTTPRoute, path string) string {
	t.Helper()
	for _, rule := range route.Spec.Rules {
		for _, match := range rule.Matches {
			exact := *match.Path.Type == gateway.PathMatchExact
			if exact && path != *match.Path.Value || !exact && !isBelow(path, *match.Path.Value) {
				continue
			}
			for _, filter := range rule.Filters {
				switch filter.Type {
				case gateway.HTTPRouteFilterURLRewrite:
					path = *filter.URLRewrite.Path.ReplacePrefixMatch + strings.TrimPrefix(path, *match.Path.Value)
				case gateway.HTTPRouteFilterRequestRedirect:
					return "redirect to " + *filter.RequestRedirect.Path.ReplaceFullPath
				default:
					t.Errorf("filter %+v", filter)
				}
			}
			service := one[*core.Service](t, r, string(rule.BackendRefs[0].Name))
			if service.Spec.Ports[0].TargetPort.StrVal != "admin" || *rule.BackendRefs[0].Port != service.Spec.Ports[0].Port {
				t.Errorf("rule %+v leads to %+v", rule, service.Spec)
			}
			return path
		}
	}
	return ""
}

// isBelow reports whether a path matches a prefix as Ingress and HTTPRoute define it: whole elements.
func isBelow(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// The controller reaches the admin port only if it is listed. The notes say so.
func TestNetworkPolicyAndConsole(t *testing.T) {
	const console = "console: {ingress: {enabled: true, hosts: [ops.example.com]}}\n"
	r := mustRender(t, console+"networkPolicy: {enabled: true}")
	if from := one[*networking.NetworkPolicy](t, r).Spec.Ingress[1].From; len(from) != 1 || !strings.Contains(r.notes, "blocks the console's Ingress") {
		t.Errorf("the admin port is open to %+v; notes:\n%s", from, r.notes)
	}
	r = mustRender(t, console+"networkPolicy: {enabled: true, adminFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]}")
	if from := one[*networking.NetworkPolicy](t, r).Spec.Ingress[1].From; len(from) != 2 || strings.Contains(r.notes, "blocks the console's Ingress") {
		t.Errorf("the admin port is open to %+v; notes:\n%s", from, r.notes)
	}
}

// The notes say how to open the console, and what it lacks.
func TestNotesOfTheConsole(t *testing.T) {
	for values, want := range map[string][2]bool{ // whether the notes show the address, and the lack of a token
		"":                                  {true, true},
		"console: {enabled: false}":         {false, false},
		"secrets: {adminToken: {value: t}}": {true, false},
		"secrets: {viewerToken: {existingSecret: s}}": {true, false},
	} {
		notes := mustRender(t, values).notes
		address := strings.Contains(notes, "port-forward service/bridge-mkio-bridge-admin 9090:9090\n  http://127.0.0.1:9090/console/")
		if got := [2]bool{address, strings.Contains(notes, "the console shows nothing")}; got != want {
			t.Errorf("%q: %v, want %v:\n%s", values, got, want, notes)
		}
	}
}
