{{- define "mkio-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for the names derived from it. */}}
{{- define "mkio-bridge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* These labels must never change, because selectors are immutable. */}}
{{- define "mkio-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mkio-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: bridge
{{- end }}

{{/* Labels of an object: (list . component). */}}
{{- define "mkio-bridge.componentLabels" -}}
{{- $ := first . -}}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "mkio-bridge.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- with $.Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mkio-bridge.labels" -}}
{{- include "mkio-bridge.componentLabels" (list . "bridge") }}
{{- end }}

{{- define "mkio-bridge.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "mkio-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mkio-bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* "true" if the bridge runs the embedded NATS server. */}}
{{- define "mkio-bridge.embedded" -}}
{{- if not .Values.nats.urls }}true{{ end }}
{{- end }}

{{- define "mkio-bridge.replicas" -}}
{{- if not (kindIs "invalid" .Values.replicaCount) }}{{ .Values.replicaCount }}{{ else if include "mkio-bridge.embedded" . }}1{{ else }}2{{ end }}
{{- end }}

{{/* The port of an address, or a default: (list address default). */}}
{{- define "mkio-bridge.portOf" -}}
{{- regexFind ":[0-9]+$" (urlParse (first .)).host | trimPrefix ":" | default (last .) }}
{{- end }}

{{/* OpenShift assigns users and groups to each namespace, and refuses others: the chart's default ids are left out there. */}}
{{- define "mkio-bridge.podSecurityContext" -}}
{{- $context := deepCopy .Values.podSecurityContext }}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}
{{- range list "runAsUser" "runAsGroup" "fsGroup" }}
{{- if eq (get $context . | int) 65532 }}{{ $_ := unset $context . }}{{ end }}
{{- end }}
{{- end }}
{{- toYaml $context }}
{{- end }}
