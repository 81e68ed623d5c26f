{{/*
The secrets that are in use, by their names in .Values.secrets: where each lies, and how the bridge is told.
One that is neither given nor to be found in an existing Secret is not there; but for those that authenticate deliveries.
*/}}
{{- define "mkio-bridge.secrets" -}}
{{- $used := dict }}
{{- range $name, $secret := .Values.secrets }}
{{- if or $secret.value $secret.existingSecret (eq $name "webhookSecrets") }}
{{- $variable := printf "BRIDGE_%s" (snakecase $name | upper) }}
{{- if not (has $name (list "natsCreds" "natsNkey")) }}{{/* these two are files anyway */}}
{{- $variable = printf "%s_FILE" $variable }}
{{- end }}
{{- $_ := set $used $name (dict "variable" $variable "key" $secret.key "secret" ($secret.existingSecret | default (include "mkio-bridge.fullname" $))) }}
{{- end }}
{{- end }}
{{- toYaml $used }}
{{- end }}

{{/* What the chart's own Secret holds: the values that are given, and secrets for deliveries where nobody gave any. */}}
{{- define "mkio-bridge.secretData" -}}
{{- $data := dict }}
{{- range $name, $secret := .Values.secrets }}
{{- if not $secret.existingSecret }}
{{- if $secret.value }}
{{- $_ := set $data $secret.key ($secret.value | b64enc) }}
{{- else if eq $name "webhookSecrets" }}
{{- $kept := (lookup "v1" "Secret" $.Release.Namespace (include "mkio-bridge.fullname" $)).data | default dict }}
{{- $_ := set $data $secret.key (get $kept $secret.key | default (randAlphaNum 40 | b64enc)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $data }}
{{- end }}
