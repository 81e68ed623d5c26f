{{/* The pod of the Deployment and of the StatefulSet. */}}
{{- define "mkio-bridge.pod" -}}
{{- include "mkio-bridge.check" . }}
{{- $v := .Values -}}
metadata:
  labels:
    {{- include "mkio-bridge.labels" . | nindent 4 }}
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $v.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "mkio-bridge.serviceAccountName" . }}
  automountServiceAccountToken: {{ $v.serviceAccount.automount }}
  # Otherwise Kubernetes sets variables that look like the bridge's settings.
  enableServiceLinks: false
  securityContext:
    {{- include "mkio-bridge.podSecurityContext" . | nindent 4 }}
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: bridge
      image: {{ include "mkio-bridge.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [run]
      env:
        {{- include "mkio-bridge.env" . | nindent 8 }}
      {{- with $v.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: webhook
          containerPort: {{ $v.containerPorts.webhook }}
        - name: admin
          containerPort: {{ $v.containerPorts.admin }}
        {{- if and (include "mkio-bridge.embedded" .) $v.embedded.service.enabled }}
        - name: nats
          containerPort: {{ $v.containerPorts.nats }}
        {{- end }}
      {{- range $probe, $path := dict "startupProbe" "/livez" "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
      {{ $probe }}:
        httpGet:
          path: {{ $path }}
          port: admin
        {{- with get $v $probe }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with $v.lifecycle }}
      lifecycle:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml $v.resources | nindent 8 }}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      volumeMounts:
        - name: secrets
          mountPath: /etc/mkio-bridge/secrets
          readOnly: true
        {{- range $name, $secret := include "mkio-bridge.certificates" . | fromYaml }}
        - name: {{ $name }}
          mountPath: /etc/mkio-bridge/{{ $name }}
          readOnly: true
        {{- end }}
        {{- if include "mkio-bridge.embedded" . }}
        - name: data
          mountPath: {{ $v.embedded.persistence.mountPath }}
        {{- end }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "mkio-bridge.volumes" . | nindent 4 }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "mkio-bridge.selectorLabels" $ | fromYaml)) }}
    - {{- toYaml (merge (deepCopy .) $selector) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* The configured Secrets with certificates, by the name of their volume. */}}
{{- define "mkio-bridge.certificates" -}}
{{- $used := dict }}
{{- range $name, $secret := dict "tls" .Values.tls.existingSecret "mkio-ca" .Values.mkioCa.existingSecret "client-ca" .Values.tls.clientCa.existingSecret "nats-ca" .Values.nats.tls.ca.existingSecret "nats-client" .Values.nats.tls.client.existingSecret }}
{{- with $secret }}{{ $_ := set $used $name . }}{{ end }}
{{- end }}
{{- toYaml $used }}
{{- end }}

{{- define "mkio-bridge.volumes" -}}
- name: secrets
  projected:
    sources:
      {{- range $name, $secret := include "mkio-bridge.secrets" . | fromYaml }}
      - secret:
          name: {{ $secret.secret }}
          items:
            - key: {{ $secret.key }}
              path: {{ $name }}
      {{- end }}
{{- range $name, $secret := include "mkio-bridge.certificates" . | fromYaml }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret }}
{{- end }}
{{- if include "mkio-bridge.embedded" . }}
{{- with .Values.embedded.persistence }}
{{- if and .enabled .existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
{{- else if not .enabled }}
- name: data
  emptyDir: {}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
