// Package chart tests the Helm chart and the image's build. Rendered manifests are decoded strictly into Kubernetes' Go
// types before they are checked.
package chart

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../../.."
	chartDir  = root + "/deploy/helm/mkio-bridge"
	release   = "bridge"
	namespace = "mkio"
)

// kinds are the kinds of objects that the chart may render, by apiVersion and kind.
var kinds = map[string]func() meta.Object{
	"v1/Pod":                                 func() meta.Object { return &core.Pod{} },
	"v1/Secret":                              func() meta.Object { return &core.Secret{} },
	"v1/ConfigMap":                           func() meta.Object { return &core.ConfigMap{} },
	"v1/Service":                             func() meta.Object { return &core.Service{} },
	"v1/PersistentVolumeClaim":               func() meta.Object { return &core.PersistentVolumeClaim{} },
	"v1/ServiceAccount":                      func() meta.Object { return &core.ServiceAccount{} },
	"apps/v1/Deployment":                     func() meta.Object { return &apps.Deployment{} },
	"apps/v1/StatefulSet":                    func() meta.Object { return &apps.StatefulSet{} },
	"policy/v1/PodDisruptionBudget":          func() meta.Object { return &policy.PodDisruptionBudget{} },
	"autoscaling/v2/HorizontalPodAutoscaler": func() meta.Object { return &autoscaling.HorizontalPodAutoscaler{} },
	"networking.k8s.io/v1/Ingress":           func() meta.Object { return &networking.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy":     func() meta.Object { return &networking.NetworkPolicy{} },
	"gateway.networking.k8s.io/v1/HTTPRoute": func() meta.Object { return &gateway.HTTPRoute{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() meta.Object {
		return &monitoring.ServiceMonitor{}
	},
	"monitoring.coreos.com/v1/PrometheusRule": func() meta.Object {
		return &monitoring.PrometheusRule{}
	},
}

// A rendering is the chart's output for some values.
type rendering struct {
	objects []meta.Object
	notes   string
}

// render validates values against the schema and renders the chart.
func render(values map[string]any) (*rendering, error) {
	return renderOn(values, chartutil.DefaultCapabilities)
}

// renderOn renders the chart for a cluster's capabilities.
func renderOn(values map[string]any, cluster *chartutil.Capabilities) (*rendering, error) {
	c, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, cluster)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	r := &rendering{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			r.notes = files[name]
			continue
		}
		for _, manifest := range releaseutil.SplitManifests(files[name]) {
			object, err := decode(manifest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, manifest)
			}
			r.objects = append(r.objects, object)
		}
	}
	return r, nil
}

func decode(manifest string) (meta.Object, error) {
	var kind meta.TypeMeta
	if err := yaml.Unmarshal([]byte(manifest), &kind); err != nil {
		return nil, err
	}
	empty, ok := kinds[kind.APIVersion+"/"+kind.Kind]
	if !ok {
		return nil, errors.New("unexpected kind of object")
	}
	object := empty()
	return object, yaml.UnmarshalStrict([]byte(manifest), object)
}

// parse parses values in YAML.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func mustRender(t *testing.T, text string) *rendering {
	t.Helper()
	r, err := render(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// documented returns the combinations of values under ci/, by file name.
func documented(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(chartDir + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no files under ci/", err)
	}
	found := map[string]map[string]any{}
	for _, file := range files {
		values, err := chartutil.ReadValuesFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = values
	}
	return found
}

// all returns the objects of one type.
func all[T meta.Object](r *rendering) (found []T) {
	for _, object := range r.objects {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// one returns the only object of a type, or the one with the name.
func one[T meta.Object](t *testing.T, r *rendering, name ...string) T {
	t.Helper()
	found := all[T](r)
	if len(name) > 0 {
		found = slices.DeleteFunc(found, func(o T) bool { return o.GetName() != name[0] })
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of %T %v, want 1", len(found), *new(T), name)
	}
	return found[0]
}

// workload returns the template and the selector of the bridge's pods.
func (r *rendering) workload(t *testing.T) (core.PodTemplateSpec, *meta.LabelSelector) {
	t.Helper()
	bridges := slices.DeleteFunc(all[*apps.Deployment](r), isNotifier)
	if len(bridges) == 1 && len(all[*apps.StatefulSet](r)) == 0 {
		return bridges[0].Spec.Template, bridges[0].Spec.Selector
	}
	s := one[*apps.StatefulSet](t, r)
	if len(bridges) > 0 {
		t.Fatal("both a Deployment and a StatefulSet")
	}
	return s.Spec.Template, s.Spec.Selector
}

// isNotifier reports whether an object belongs to the notifier.
func isNotifier[T meta.Object](o T) bool {
	return o.GetLabels()["app.kubernetes.io/component"] == "notify"
}

// pods returns all pod specifications by name, including the helm test's.
func (r *rendering) pods(t *testing.T) map[string]core.PodSpec {
	t.Helper()
	template, _ := r.workload(t)
	found := map[string]core.PodSpec{"bridge": template.Spec}
	for _, d := range all[*apps.Deployment](r) {
		if isNotifier(d) {
			found["notify"] = d.Spec.Template.Spec
		}
	}
	for _, test := range all[*core.Pod](r) {
		found[test.Name] = test.Spec
	}
	if len(all[*core.Pod](r)) == 0 {
		t.Error("there is no helm test")
	}
	return found
}

// env returns the bridge's environment, without envFrom.
func (r *rendering) env(t *testing.T) map[string]string {
	t.Helper()
	template, _ := r.workload(t)
	found := map[string]string{}
	for _, v := range template.Spec.Containers[0].Env {
		if _, twice := found[v.Name]; twice {
			t.Errorf("%s is set twice", v.Name)
		}
		found[v.Name] = v.Value
	}
	return found
}
