{{/* Values that contradict each other are refused here; each of its own by values.schema.json. */}}
{{- define "mkio-bridge.check" -}}
{{- $v := .Values }}
{{- range $name, $secret := $v.secrets }}
{{- if and $secret.value $secret.existingSecret }}
{{- fail (printf "secrets.%s has both a value and an existingSecret: give one of them" $name) }}
{{- end }}
{{- end }}
{{- if include "mkio-bridge.embedded" . }}
{{- if gt (int $v.replicaCount) 1 }}
{{- fail (printf "replicaCount is %d, but the embedded NATS server belongs to one bridge: set nats.urls to run several on an existing NATS" (int $v.replicaCount)) }}
{{- end }}
{{- if $v.autoscaling.enabled }}
{{- fail "autoscaling.enabled needs an existing NATS: set nats.urls, for the embedded server belongs to one bridge" }}
{{- end }}
{{- if and $v.embedded.persistence.existingClaim (not $v.embedded.persistence.enabled) }}
{{- fail "embedded.persistence.existingClaim is set and persistence is not enabled, so that the log would be lost with the pod: set embedded.persistence.enabled, or leave the claim out" }}
{{- end }}
{{- if gt (int $v.config.streamReplicas) 1 }}
{{- fail "config.streamReplicas is more than 1, but the embedded server is one server: set nats.urls, or leave it at 1" }}
{{- end }}
{{- if or $v.nats.user $v.nats.domain $v.nats.tls.first $v.nats.tls.ca.existingSecret $v.nats.tls.client.existingSecret }}
{{- fail "nats.user, nats.domain and nats.tls are for an existing NATS: set nats.urls too, or leave them out" }}
{{- end }}
{{- range list "natsCreds" "natsNkey" "natsPassword" "natsToken" }}
{{- with get $v.secrets . }}
{{- if or .value .existingSecret }}
{{- fail "secrets.natsCreds, natsNkey, natsPassword and natsToken are for an existing NATS: set nats.urls too, or leave them out" }}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
{{- if $v.embedded.service.enabled }}
{{- fail "embedded.service.enabled opens a port of the embedded server, and with nats.urls there is none: readers connect to that NATS" }}
{{- end }}
{{- if or $v.secrets.natsReaderToken.value $v.secrets.natsReaderToken.existingSecret }}
{{- fail "secrets.natsReaderToken is for readers of the embedded server, and with nats.urls there is none" }}
{{- end }}
{{- if $v.embedded.persistence.existingClaim }}
{{- fail "embedded.persistence.existingClaim is for the embedded server, and with nats.urls there is none" }}
{{- end }}
{{- end }}
{{- if and $v.tls.clientCa.existingSecret (not $v.tls.existingSecret) }}
{{- fail "tls.clientCa needs TLS on the webhook listener: set tls.existingSecret too" }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) }}
{{- fail "ingress.enabled needs a host: set ingress.hosts" }}
{{- end }}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled needs a Gateway: set httpRoute.parentRefs" }}
{{- end }}
{{- end }}
