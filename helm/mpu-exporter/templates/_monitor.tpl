{{/* What a ServiceMonitor and a PodMonitor have in common. .monitor holds the values of either. */}}
{{- define "mpu-exporter.monitorMetadata" -}}
{{- with .monitor }}
{{- include "mpu-exporter.metadata" (dict "root" $.root "namespace" .namespace "labels" .labels "annotations" .annotations) }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.monitorSpec" -}}
{{- with .monitor }}
jobLabel: {{ .jobLabel }}
selector:
  matchLabels:
    {{- include "mpu-exporter.selectorLabels" $.root | nindent 4 }}
namespaceSelector:
  matchNames:
    - {{ include "mpu-exporter.namespace" $.root }}
{{- range $field := list "sampleLimit" "labelLimit" "labelNameLengthLimit" "labelValueLengthLimit" "targetLabels" "podTargetLabels" "scrapeClass" "scrapeProtocols" }}
{{- with index $.monitor $field }}
{{- toYaml (dict $field .) | nindent 0 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mpu-exporter.monitorEndpoint" -}}
{{- with .monitor }}
port: http
path: {{ $.root.Values.metricsPath }}
scheme: {{ default (ternary "https" "http" $.root.Values.web.tls.enabled) .scheme }}
honorLabels: {{ .honorLabels }}
{{- if kindIs "bool" .honorTimestamps }}
honorTimestamps: {{ .honorTimestamps }}
{{- end }}
{{- range $field := list "interval" "scrapeTimeout" "basicAuth" "authorization" "oauth2" "proxyUrl" "relabelings" "metricRelabelings" }}
{{- with index $.monitor $field }}
{{- toYaml (dict $field .) | nindent 0 }}
{{- end }}
{{- end }}
{{- with default (include "mpu-exporter.monitorTls" $ | fromYaml) .tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* How to verify the exporter's certificate, where values do not say it. */}}
{{- define "mpu-exporter.monitorTls" -}}
{{- $tls := .root.Values.web.tls }}
{{- if and $tls.enabled $tls.secret }}
ca:
  secret:
    name: {{ $tls.secret }}
    key: ca.crt
serverName: {{ include "mpu-exporter.host" .root }}
{{- end }}
{{- end }}
