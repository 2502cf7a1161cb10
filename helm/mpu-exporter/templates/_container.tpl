{{- define "mpu-exporter.container" -}}
name: exporter
image: {{ include "mpu-exporter.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "mpu-exporter.args" . | nindent 2 }}
{{- with include "mpu-exporter.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ .Values.containerPort }}
    {{- if eq .Values.hostNetwork true }}
    hostPort: {{ .Values.containerPort }} {{- /* as Kubernetes would fill in, and keep when hostNetwork is off again */}}
    {{- end }}
    protocol: TCP
{{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- with index $.Values $probe }}
{{- toYaml (dict $probe (include "mpu-exporter.probe" (dict "root" $ "probe" .) | fromYaml)) | nindent 0 }}
{{- end }}
{{- end }}
{{- with .Values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "mpu-exporter.volumeMounts" . | nindent 2 }}
{{- end }}

{{- define "mpu-exporter.args" -}}
- serve
- --config.file=/etc/mpu-exporter/config.yaml
{{- if .Values.reload.enabled }}
- --config.watch
{{- end }}
- --web.listen-address=:{{ .Values.containerPort }}
- --web.telemetry-path={{ .Values.metricsPath }}
{{- if include "mpu-exporter.hasWebConfig" . }}
- --web.config.file=/run/secrets/web/{{ ternary "web.yml" .Values.web.existingConfigKey (empty .Values.web.existingConfigSecret) }}
{{- end }}
{{- with .Values.web.allowedHosts }}
- --web.allowed-hosts={{ join "," (append . (include "mpu-exporter.host" $)) }}
{{- end }}
{{- if .Values.web.enableUploads }}
- --web.enable-uploads
{{- end }}
{{- if .Values.web.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
{{- if gt (int .Values.shards) 1 }}
- --shard.total={{ .Values.shards }}
{{- end }}
- --log.level={{ .Values.log.level }}
- --log.format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A shard knows which one it is by the number at the end of its pod's name. */}}
{{- define "mpu-exporter.env" -}}
{{- if gt (int .Values.shards) 1 }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A probe over TLS, where the exporter has it. A kubelet has no client certificate: it can only open a connection. */}}
{{- define "mpu-exporter.probe" -}}
{{- $probe := deepCopy .probe -}}
{{- with and .root.Values.web.tls.enabled $probe.httpGet -}}
{{- if $.root.Values.web.tls.clientAuth -}}
{{- $probe = set (omit $probe "httpGet") "tcpSocket" (dict "port" .port) -}}
{{- else -}}
{{- $probe = set $probe "httpGet" (merge . (dict "scheme" "HTTPS")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $probe }}
{{- end }}
