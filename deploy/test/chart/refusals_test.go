package chart

import (
	"strings"
	"testing"
)

// The schema refuses these values, with a message that names the key.
func TestTyposAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"replicas: 3":                                           "replicas",
		"replicaCount: -1":                                      "replicaCount",
		"replicaCount: two":                                     "replicaCount",
		"image: {repo: a}":                                      "repo",
		"image: {digest: latest}":                               "digest",
		"image: {pullPolicy: always}":                           "pullPolicy",
		"nats: {url: nats://nats:4222}":                         "url",
		"nats: {urls: nats://nats:4222}":                        "urls",
		"nats: {urls: [nats:4222]}":                             "urls",
		"nats: {urls: ['nats://me:hunter2@nats:4222']}":         "urls",
		"embedded: {persistence: {sizes: 1Gi}}":                 "sizes",
		"embedded: {persistence: {size: 10 GB}}":                "size",
		"config: {pollSweeps: 1m}":                              "pollSweeps",
		"config: {pollSweep: 60}":                               "pollSweep",
		"config: {pollSweep: 1 minute}":                         "pollSweep",
		"config: {kinds: [jobs]}":                               "kinds",
		"config: {logLevel: verbose}":                           "logLevel",
		"config: {webhookUrl: 'https://a.example.com/prefix'}":  "webhookUrl",
		"config: {webhookUrl: 'https://a.example.com?b=c'}":     "webhookUrl",
		"config: {streamManage: update}":                        "streamManage",
		"config: {webhookSecrets: hunter2}":                     "webhookSecrets",
		"secrets: {webhookSecret: {value: hunter2}}":            "webhookSecret",
		"secrets: {webhookSecrets: {secretName: mine}}":         "secretName",
		"secrets: {webhookSecrets: hunter2}":                    "webhookSecrets",
		"tls: {secretName: bridge-tls}":                         "secretName",
		"service: {type: Headless}":                             "type",
		"service: {port: 80000}":                                "port",
		"ingress: {enabled: 'yes'}":                             "enabled",
		"ingress: {hosts: [{host: a.example.com}]}":             "hosts",
		"networkPolicy: {from: []}":                             "from",
		"console: {ingress: {paths: [console]}}":                "paths",
		"console: {httpRoute: {path: bridge}}":                  "path",
		"serviceMonitor: {interval: 30}":                        "interval",
		"otel: {sampler: sometimes}":                            "sampler",
		"terminationGracePeriodSeconds: 5":                      "terminationGracePeriodSeconds",
		"resources: {request: {cpu: 1}}":                        "request",
		"livenessProbe: {path: /}":                              "path",
		"notify: {rule: {}}":                                    "rule",
		"notify: {rules: [a]}":                                  "rules",
		"notify: {targetSecrets: [Slack]}":                      "targetSecrets",
		"networkPolicy: {notifyPorts: []}":                      "notifyPorts",
		"commonLabels: {a: 1}":                                  "commonLabels",
		"serviceAccount: {automountServiceAccountToken: false}": "automountServiceAccountToken",
	} {
		checkRefused(t, values, "values don't meet the specifications", want)
	}
}

// readable opens the embedded server's port for readers.
const readable = "embedded: {service: {enabled: true}}\n"

// Valid values that contradict each other.
func TestContradictionsAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"replicaCount: 2":                                                           "replicaCount is 2, but the embedded NATS server belongs to one bridge",
		"autoscaling: {enabled: true}":                                              "autoscaling.enabled needs an existing NATS",
		"config: {streamReplicas: 3}":                                               "config.streamReplicas is more than 1",
		"embedded: {persistence: {enabled: false, existingClaim: c}}":               "set embedded.persistence.enabled",
		"nats: {user: me}":                                                          "set nats.urls too",
		"nats: {tls: {ca: {existingSecret: ca}}}":                                   "set nats.urls too",
		"nats: {tls: {first: true}}":                                                "set nats.urls too",
		"nats: {domain: hub}":                                                       "set nats.urls too",
		"secrets: {natsCreds: {value: c}}":                                          "set nats.urls too",
		"secrets: {natsPassword: {existingSecret: c}}":                              "set nats.urls too",
		external + "embedded: {service: {enabled: true}}":                           "which nats.urls replaces",
		external + "embedded: {persistence: {existingClaim: c}}":                    "which nats.urls replaces",
		external + "secrets: {natsReaderToken: {value: t}}":                         "which nats.urls replaces",
		"secrets: {mkioToken: {value: t, existingSecret: s}}":                       "secrets.mkioToken has both",
		"tls: {clientCa: {existingSecret: ca}}":                                     "set tls.existingSecret too",
		"ingress: {enabled: true}":                                                  "set ingress.hosts",
		"notify: {enabled: true}":                                                   "notify.enabled needs rules",
		"notify: {enabled: true, existingConfigMap: c}":                             "set embedded.service.enabled",
		readable + "notify: {enabled: true, rules: {a: 1}, existingConfigMap: c}":   "only one of them",
		readable + "notify: {enabled: true, existingConfigMap: c, replicaCount: 2}": "in a file of one notifier",
		readable + "notify: {enabled: true, existingConfigMap: c, nats: {creds: {existingSecret: s}}}":          "set nats.urls too",
		external + "notify: {enabled: true, existingConfigMap: c, nats: {user: u}}":                             "belong together",
		external + "notify: {enabled: true, existingConfigMap: c, persistence: {existingClaim: c}}":             "dead letters are in a stream",
		external + "notify: {enabled: true, existingConfigMap: c, nats: {user: u, creds: {existingSecret: s}}}": "both credentials and a user",
		"httpRoute: {enabled: true}":                          "set httpRoute.parentRefs",
		"console: {ingress: {enabled: true}}":                 "set console.ingress.hosts",
		"console: {httpRoute: {enabled: true}}":               "set console.httpRoute.parentRefs",
		"console: {enabled: false, ingress: {enabled: true}}": "set console.enabled",
	} {
		checkRefused(t, values, want, "")
	}
}

func checkRefused(t *testing.T, values string, wants ...string) {
	t.Helper()
	_, err := render(parse(t, values))
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", values, err, want)
		}
	}
	if err != nil && strings.Contains(values, "secrets:") && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: the error contains the secret: %v", values, err)
	}
}
