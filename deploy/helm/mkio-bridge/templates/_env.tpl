{{/* The bridge's environment: for secrets it has the paths of their files. */}}
{{- define "mkio-bridge.env" -}}
{{- $v := .Values }}
{{- $env := dict "BRIDGE_LISTEN" (printf ":%d" (int $v.containerPorts.webhook)) "BRIDGE_ADMIN_LISTEN" (printf ":%d" (int $v.containerPorts.admin)) }}
{{- range $name, $value := $v.config }}
{{- if $value }}
{{- $_ := set $env (printf "BRIDGE_%s" (snakecase $name | upper)) (kindIs "slice" $value | ternary $value (list $value) | join ",") }}
{{- end }}
{{- end }}
{{- if not $v.console.enabled }}{{ $_ := set $env "BRIDGE_CONSOLE" "false" }}{{ end }}
{{- if include "mkio-bridge.embedded" . }}
{{- $_ := set $env "BRIDGE_STORE_DIR" $v.embedded.persistence.mountPath }}
{{- $_ := set $env "BRIDGE_NATS_LISTEN" (printf "%s:%d" ($v.embedded.service.enabled | ternary "" "127.0.0.1") (int $v.containerPorts.nats)) }}
{{- else }}
{{- $_ := set $env "BRIDGE_NATS_URL" (join "," $v.nats.urls) }}
{{- with $v.nats.user }}{{ $_ := set $env "BRIDGE_NATS_USER" . }}{{ end }}
{{- with $v.nats.domain }}{{ $_ := set $env "BRIDGE_NATS_DOMAIN" . }}{{ end }}
{{- if $v.nats.tls.first }}{{ $_ := set $env "BRIDGE_NATS_TLS_FIRST" "true" }}{{ end }}
{{- with $v.nats.tls.ca }}{{ if .existingSecret }}{{ $_ := set $env "BRIDGE_NATS_TLS_CA" (printf "/etc/mkio-bridge/nats-ca/%s" .key) }}{{ end }}{{ end }}
{{- if $v.nats.tls.client.existingSecret }}
{{- $_ := set $env "BRIDGE_NATS_TLS_CERT" "/etc/mkio-bridge/nats-client/tls.crt" }}
{{- $_ := set $env "BRIDGE_NATS_TLS_KEY" "/etc/mkio-bridge/nats-client/tls.key" }}
{{- end }}
{{- end }}
{{- range $name, $secret := include "mkio-bridge.secrets" . | fromYaml }}
{{- $_ := set $env $secret.variable (printf "/etc/mkio-bridge/secrets/%s" $name) }}
{{- end }}
{{- if $v.tls.existingSecret }}
{{- $_ := set $env "BRIDGE_TLS_CERT" "/etc/mkio-bridge/tls/tls.crt" }}
{{- $_ := set $env "BRIDGE_TLS_KEY" "/etc/mkio-bridge/tls/tls.key" }}
{{- end }}
{{- with $v.mkioCa }}{{ if .existingSecret }}{{ $_ := set $env "BRIDGE_MKIO_CA" (printf "/etc/mkio-bridge/mkio-ca/%s" .key) }}{{ end }}{{ end }}
{{- with $v.tls.clientCa }}{{ if .existingSecret }}{{ $_ := set $env "BRIDGE_TLS_CLIENT_CA" (printf "/etc/mkio-bridge/client-ca/%s" .key) }}{{ end }}{{ end }}
{{- with $v.otel }}
{{- with .endpoint }}{{ $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end }}
{{- with .serviceName }}{{ $_ := set $env "OTEL_SERVICE_NAME" . }}{{ end }}
{{- with .sampler }}{{ $_ := set $env "OTEL_TRACES_SAMPLER" . }}{{ end }}
{{- with .samplerArg }}{{ $_ := set $env "OTEL_TRACES_SAMPLER_ARG" . }}{{ end }}
{{- $attributes := list }}
{{- range $key, $value := .resourceAttributes }}{{ $attributes = append $attributes (printf "%s=%s" $key $value) }}{{ end }}
{{- with $attributes }}{{ $_ := set $env "OTEL_RESOURCE_ATTRIBUTES" (join "," .) }}{{ end }}
{{- end }}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
