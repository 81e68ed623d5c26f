{{/*
The configured secrets, by their names in .Values.secrets: the Secret and key of each, and the bridge's variable for it.
A secret with neither a value nor an existing Secret is left out, except webhookSecrets.
*/}}
{{- define "mkio-bridge.secrets" -}}
{{- $used := dict }}
{{- range $name, $secret := .Values.secrets }}
{{- if or $secret.value $secret.existingSecret (eq $name "webhookSecrets") }}
{{- $variable := printf "BRIDGE_%s" (snakecase $name | upper) }}
{{- if not (has $name (list "natsCreds" "natsNkey")) }}{{/* these two variables name files anyway */}}
{{- $variable = printf "%s_FILE" $variable }}
{{- end }}
{{- $_ := set $used $name (dict "variable" $variable "key" $secret.key "secret" ($secret.existingSecret | default (include "mkio-bridge.fullname" $))) }}
{{- end }}
{{- end }}
{{- toYaml $used }}
{{- end }}

{{/* The content of the chart's own Secret: the values that are set, and a generated webhook secret if none is set. */}}
{{- define "mkio-bridge.secretData" -}}
{{- $data := dict }}
{{- range $name, $secret := .Values.secrets }}
{{- if not $secret.existingSecret }}
{{- if $secret.value }}
{{- $_ := set $data $secret.key ($secret.value | b64enc) }}
{{- else if eq $name "webhookSecrets" }}
{{- $existing := (lookup "v1" "Secret" $.Release.Namespace (include "mkio-bridge.fullname" $)).data | default dict }}
{{- $_ := set $data $secret.key (get $existing $secret.key | default (randAlphaNum 40 | b64enc)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $data }}
{{- end }}
