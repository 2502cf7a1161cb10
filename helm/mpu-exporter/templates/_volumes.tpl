{{/* Folders, never subPath: Kubernetes updates only folders. */}}
{{- define "mpu-exporter.volumeMounts" -}}
- name: config
  mountPath: /etc/mpu-exporter
  readOnly: true
{{- if .Values.credentialSecrets }}
- name: credentials
  mountPath: /run/secrets/mpu-exporter
  readOnly: true
{{- end }}
{{- if include "mpu-exporter.hasWebConfig" . }}
- name: web
  mountPath: /run/secrets/web
  readOnly: true
{{- end }}
{{- if .Values.state.enabled }}
- name: state
  mountPath: {{ .Values.state.mountPath }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.volumes" -}}
- name: config
  {{- include "mpu-exporter.configVolume" . | nindent 2 }}
{{- with .Values.credentialSecrets }}
- name: credentials
  projected:
    sources:
      {{- range . }}
      - secret:
          {{- toYaml . | nindent 10 }}
      {{- end }}
{{- end }}
{{- if include "mpu-exporter.hasWebConfig" . }}
- name: web
  projected:
    sources:
      {{- include "mpu-exporter.webSources" . | trim | nindent 6 }}
{{- end }}
{{- if and .Values.state.enabled (not (include "mpu-exporter.ownClaims" .)) }}
- name: state
  {{- include "mpu-exporter.stateVolume" . | trim | nindent 2 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.configVolume" -}}
{{- $items := list (dict "key" .Values.existingConfigKey "path" "config.yaml") -}}
{{- if .Values.existingConfigSecret }}
{{- toYaml (dict "secret" (dict "secretName" .Values.existingConfigSecret "items" $items)) }}
{{- else if .Values.existingConfigMap }}
{{- toYaml (dict "configMap" (dict "name" .Values.existingConfigMap "items" $items)) }}
{{- else if .Values.configAsSecret }}
{{- toYaml (dict "secret" (dict "secretName" (include "mpu-exporter.fullname" .))) }}
{{- else }}
{{- toYaml (dict "configMap" (dict "name" (include "mpu-exporter.fullname" .))) }}
{{- end }}
{{- end }}

{{/* The web config and what it names, side by side in one folder. */}}
{{- define "mpu-exporter.webSources" -}}
{{- with .Values.web }}
{{- if .existingConfigSecret }}
- secret:
    name: {{ .existingConfigSecret }}
{{- else }}
- configMap:
    name: {{ include "mpu-exporter.fullname" $ }}-web
{{- end }}
{{- with .tls }}
{{- if and .enabled .secret }}
- secret:
    name: {{ .secret }}
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- if and .enabled .clientAuth (or .clientCASecret .secret) }}
- secret:
    name: {{ default .secret .clientCASecret }}
    items: [{key: ca.crt, path: client-ca.crt}]
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.ownClaims" -}}
{{- with .Values.state }}
{{- if and .enabled .persistence.enabled (not .persistence.existingClaim) }}true{{ end }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.stateVolume" -}}
{{- with .Values.state }}
{{- if .persistence.enabled }}
persistentVolumeClaim:
  claimName: {{ .persistence.existingClaim }}
{{- else if .sizeLimit }}
emptyDir:
  sizeLimit: {{ .sizeLimit }}
{{- else }}
emptyDir: {}
{{- end }}
{{- end }}
{{- end }}
