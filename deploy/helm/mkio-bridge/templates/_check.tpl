{{/* Refuses values that contradict each other; values.schema.json checks each value on its own. */}}
{{- define "mkio-bridge.check" -}}
{{- $v := .Values }}
{{- range $name, $secret := $v.secrets }}
{{- if and $secret.value $secret.existingSecret }}
{{- fail (printf "secrets.%s has both a value and an existingSecret: set only one of them" $name) }}
{{- end }}
{{- end }}
{{- if include "mkio-bridge.embedded" . }}
{{- if gt (int $v.replicaCount) 1 }}
{{- fail (printf "replicaCount is %d, but the embedded NATS server belongs to one bridge: set nats.urls to run several bridges on an existing NATS" (int $v.replicaCount)) }}
{{- end }}
{{- if $v.autoscaling.enabled }}
{{- fail "autoscaling.enabled needs an existing NATS, because the embedded server belongs to one bridge: set nats.urls" }}
{{- end }}
{{- if and $v.embedded.persistence.existingClaim (not $v.embedded.persistence.enabled) }}
{{- fail "embedded.persistence.existingClaim is set, but persistence is not enabled, so the log would be lost with the pod: set embedded.persistence.enabled, or unset the claim" }}
{{- end }}
{{- if gt (int $v.config.streamReplicas) 1 }}
{{- fail "config.streamReplicas is more than 1, but the embedded server is a single server: set nats.urls, or set it to 1" }}
{{- end }}
{{- if or $v.nats.user $v.nats.domain $v.nats.tls.first $v.nats.tls.ca.existingSecret $v.nats.tls.client.existingSecret }}
{{- fail "nats.user, nats.domain and nats.tls are for an existing NATS: set nats.urls too, or unset them" }}
{{- end }}
{{- range list "natsCreds" "natsNkey" "natsPassword" "natsToken" }}
{{- with get $v.secrets . }}
{{- if or .value .existingSecret }}
{{- fail "secrets.natsCreds, natsNkey, natsPassword and natsToken are for an existing NATS: set nats.urls too, or unset them" }}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
{{- if $v.embedded.service.enabled }}
{{- fail "embedded.service.enabled is for the embedded server, which nats.urls replaces: readers connect to the existing NATS" }}
{{- end }}
{{- if or $v.secrets.natsReaderToken.value $v.secrets.natsReaderToken.existingSecret }}
{{- fail "secrets.natsReaderToken is for the embedded server, which nats.urls replaces" }}
{{- end }}
{{- if $v.embedded.persistence.existingClaim }}
{{- fail "embedded.persistence.existingClaim is for the embedded server, which nats.urls replaces" }}
{{- end }}
{{- end }}
{{- with $v.notify }}
{{- if .enabled }}
{{- if and (not .rules) (not .existingConfigMap) }}
{{- fail "notify.enabled needs rules: set notify.rules or notify.existingConfigMap" }}
{{- end }}
{{- if and .rules .existingConfigMap }}
{{- fail "notify has both rules and an existingConfigMap: set only one of them" }}
{{- end }}
{{- if and .nats.creds.existingSecret (or .nats.user .nats.password.existingSecret) }}
{{- fail "notify.nats has both credentials and a user or a password: set only one of them" }}
{{- end }}
{{- if ne (empty .nats.user) (empty .nats.password.existingSecret) }}
{{- fail "notify.nats.user and notify.nats.password belong together: set both or none" }}
{{- end }}
{{- if include "mkio-bridge.embedded" $ }}
{{- if not $v.embedded.service.enabled }}
{{- fail "notify.enabled needs the embedded server's port for readers: set embedded.service.enabled" }}
{{- end }}
{{- if gt (int .replicaCount) 1 }}
{{- fail "notify.replicaCount is more than 1, but with the embedded server dead letters are in a file of one notifier: set nats.urls, or set it to 1" }}
{{- end }}
{{- if or .nats.user .nats.creds.existingSecret }}
{{- fail "notify.nats is for an existing NATS: set nats.urls too, or unset it" }}
{{- end }}
{{- else if .persistence.existingClaim }}
{{- fail "notify.persistence.existingClaim is for the embedded server: on an existing NATS, dead letters are in a stream" }}
{{- end }}
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
{{- with $v.console }}
{{- if and (or .ingress.enabled .httpRoute.enabled) (not .enabled) }}
{{- fail "console.ingress and console.httpRoute need the console: set console.enabled, or disable them" }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- fail "console.ingress.enabled needs a host: set console.ingress.hosts" }}
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
{{- fail "console.httpRoute.enabled needs a Gateway: set console.httpRoute.parentRefs" }}
{{- end }}
{{- end }}
{{- end }}
