{{/* The notifier: mkio-bridge notify, beside the bridge. */}}

{{/* These labels must never change, because selectors are immutable. */}}
{{- define "mkio-bridge.notifySelectorLabels" -}}
app.kubernetes.io/name: {{ include "mkio-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: notify
{{- end }}

{{/* "true" if dead letters are stored in a file: readers of the embedded server cannot write to a stream. */}}
{{- define "mkio-bridge.notifyFile" -}}
{{- include "mkio-bridge.embedded" . }}
{{- end }}

{{/* The Secrets with the notifier's NATS credentials, by file name: its own, or else the bridge's. */}}
{{- define "mkio-bridge.notifySecrets" -}}
{{- $used := dict }}
{{- $own := .Values.notify.nats }}
{{- if $own.creds.existingSecret }}
{{- $_ := set $used "natsCreds" (dict "variable" "BRIDGE_NATS_CREDS" "secret" $own.creds.existingSecret "key" $own.creds.key) }}
{{- else if $own.password.existingSecret }}
{{- $_ := set $used "natsPassword" (dict "variable" "BRIDGE_NATS_PASSWORD_FILE" "secret" $own.password.existingSecret "key" $own.password.key) }}
{{- else }}
{{- range $name, $secret := include "mkio-bridge.secrets" . | fromYaml }}
{{- if eq $name "natsReaderToken" }}
{{- $_ := set $used "natsToken" (merge (dict "variable" "BRIDGE_NATS_TOKEN_FILE") $secret) }}
{{- else if hasPrefix "nats" $name }}
{{- $_ := set $used $name $secret }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $used }}
{{- end }}

{{- define "mkio-bridge.notifyEnv" -}}
{{- $v := .Values }}
{{- $env := dict }}
{{- range list "subjectPrefix" "streamManage" "streamReplicas" "streamMaxBytes" "logLevel" "logFormat" }}
{{- $value := get $v.config . }}
{{- if $value }}{{ $_ := set $env (printf "BRIDGE_%s" (snakecase . | upper)) $value }}{{ end }}
{{- end }}
{{- if include "mkio-bridge.embedded" . }}
{{- $_ := set $env "BRIDGE_NATS_URL" (printf "nats://%s-nats:%d" (include "mkio-bridge.fullname" .) (int $v.embedded.service.port)) }}
{{- else }}
{{- $_ := set $env "BRIDGE_NATS_URL" (join "," $v.nats.urls) }}
{{- if $v.notify.nats.user }}
{{- $_ := set $env "BRIDGE_NATS_USER" $v.notify.nats.user }}
{{- else if and $v.nats.user (not $v.notify.nats.creds.existingSecret) }}
{{- $_ := set $env "BRIDGE_NATS_USER" $v.nats.user }}
{{- end }}
{{- with $v.nats.domain }}{{ $_ := set $env "BRIDGE_NATS_DOMAIN" . }}{{ end }}
{{- if $v.nats.tls.first }}{{ $_ := set $env "BRIDGE_NATS_TLS_FIRST" "true" }}{{ end }}
{{- with $v.nats.tls.ca }}{{ if .existingSecret }}{{ $_ := set $env "BRIDGE_NATS_TLS_CA" (printf "/etc/mkio-bridge/nats-ca/%s" .key) }}{{ end }}{{ end }}
{{- if $v.nats.tls.client.existingSecret }}
{{- $_ := set $env "BRIDGE_NATS_TLS_CERT" "/etc/mkio-bridge/nats-client/tls.crt" }}
{{- $_ := set $env "BRIDGE_NATS_TLS_KEY" "/etc/mkio-bridge/nats-client/tls.key" }}
{{- end }}
{{- end }}
{{- range $name, $secret := include "mkio-bridge.notifySecrets" . | fromYaml }}
{{- $_ := set $env $secret.variable (printf "/etc/mkio-bridge/secrets/%s" $name) }}
{{- end }}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with $v.notify.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The volumes of the notifier, by name: the mount's path and the source. */}}
{{- define "mkio-bridge.notifyVolumes" -}}
{{- $v := .Values }}
{{- $volumes := dict "rules" (dict "path" "/etc/mkio-bridge/notify" "source" (dict "configMap" (dict "name" ($v.notify.existingConfigMap | default (printf "%s-notify" (include "mkio-bridge.fullname" .)))))) }}
{{- $sources := list }}
{{- range $name, $secret := include "mkio-bridge.notifySecrets" . | fromYaml }}
{{- $sources = append $sources (dict "secret" (dict "name" $secret.secret "items" (list (dict "key" $secret.key "path" $name)))) }}
{{- end }}
{{- if $sources }}
{{- $_ := set $volumes "secrets" (dict "path" "/etc/mkio-bridge/secrets" "source" (dict "projected" (dict "sources" $sources))) }}
{{- end }}
{{- range $i, $secret := $v.notify.targetSecrets }}
{{- $_ := set $volumes (printf "target-%d" $i) (dict "path" (printf "/etc/mkio-bridge/targets/%s" $secret) "source" (dict "secret" (dict "secretName" $secret))) }}
{{- end }}
{{- range $name, $secret := dict "nats-ca" $v.nats.tls.ca.existingSecret "nats-client" $v.nats.tls.client.existingSecret }}
{{- with $secret }}{{ $_ := set $volumes $name (dict "path" (printf "/etc/mkio-bridge/%s" $name) "source" (dict "secret" (dict "secretName" .))) }}{{ end }}
{{- end }}
{{- if include "mkio-bridge.notifyFile" . }}
{{- $claim := $v.notify.persistence.existingClaim | default (printf "%s-notify" (include "mkio-bridge.fullname" .)) }}
{{- $_ := set $volumes "failed" (dict "path" "/failed" "source" (dict "persistentVolumeClaim" (dict "claimName" $claim))) }}
{{- end }}
{{- toYaml $volumes }}
{{- end }}
