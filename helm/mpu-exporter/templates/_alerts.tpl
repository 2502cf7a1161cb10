{{/* The enabled alerts with their values filled in, as JSON: {alerts: [{alert, expr, …}]}. Source: files/rules/alerts.yaml. */}}
{{- define "mpu-exporter.alerts" -}}
{{- $found := list -}}
{{- $values := .Values.alerts -}}
{{- range .Files.Get "files/rules/alerts.yaml" | fromYamlArray -}}
{{- $rule := default dict (get (default dict $values.rules) .alert) -}}
{{- if $rule.enabled -}}
{{- $threshold := include "mpu-exporter.number" $rule.threshold -}}
{{- $fill := dict "values" $values "window" $rule.window "threshold" $threshold -}}
{{- $alert := dict "alert" .alert "operator" .operator "threshold" $threshold -}}
{{- $value := include "mpu-exporter.filled" (merge (dict "text" .value) $fill) | trim -}}
{{- if contains "$labels.target" .description -}}
{{- $value = include "mpu-exporter.withTargetLabels" (dict "text" $value "values" $values) -}}
{{- end -}}
{{- $alert = set $alert "value" $value -}}
{{- $alert = set $alert "for" $rule.for -}}
{{- $alert = set $alert "keepFiringFor" $rule.keepFiringFor -}}
{{- $alert = set $alert "labels" (merge (dict "severity" $rule.severity) (default dict $values.additionalLabels)) -}}
{{- $description := include "mpu-exporter.filled" (merge (dict "text" .description) $fill) -}}
{{- $annotations := dict "summary" .summary "description" $description -}}
{{- with .command -}}
{{- $annotations = set $annotations "command" . -}}
{{- end -}}
{{- with $values.runbookUrl -}}
{{- $annotations = set $annotations "runbook_url" (printf "%s/%s.md" (trimSuffix "/" .) $alert.alert) -}}
{{- end -}}
{{- $alert = set $alert "annotations" (merge $annotations (default dict $values.additionalAnnotations)) -}}
{{- $found = append $found $alert -}}
{{- end -}}
{{- end -}}
{{- dict "alerts" $found | toJson -}}
{{- end }}

{{/* A text with the placeholders of files/rules/alerts.yaml replaced, $value apart. */}}
{{- define "mpu-exporter.filled" -}}
{{- $ignored := join ", " .values.ignoredLabels -}}
{{- $text := .text | replace "$ignored" $ignored | replace "$window" (default "" .window) | replace "$threshold" .threshold -}}
{{- if .values.selector -}}
{{- $text | replace "$selector" .values.selector -}}
{{- else -}}
{{- $text | replace "{$selector}" "" | replace ",$selector" "" -}}
{{- end -}}
{{- end }}

{{/* A number as PromQL and people write it: 1099511627776 rather than 1.099511627776e+12 */}}
{{- define "mpu-exporter.number" -}}
{{- if eq (float64 (int64 .)) (float64 .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/*
An expression whose series carry labels of their target, for routing, too. Where two pods disagree about them, those of
the config that was read last.
*/}}
{{- define "mpu-exporter.withTargetLabels" -}}
{{- if .values.targetLabels -}}
{{- $ignored := .values.ignoredLabels -}}
{{- $join := list -}}
{{- range .values.joinLabels }}{{ if not (has . $ignored) }}{{ $join = append $join . }}{{ end }}{{ end -}}
{{- $target := join ", " (append $join "target") -}}
{{- $pod := join ", " (concat $join $ignored) -}}
{{- $labels := join ", " .values.targetLabels -}}
{{- $selector := ternary "" (printf "{%s}" .values.selector) (empty .values.selector) -}}
({{ printf "\n%s\n" .text }})
* on ({{ $target }}) group_left ({{ $labels }})
topk by ({{ $target }}) (1, max by ({{ $target }}, {{ $labels }}) (
  mpu_target_info{{ $selector }}
  * on ({{ $pod }}) group_left ()
  max by ({{ $pod }}) (mpu_config_last_reload_success_timestamp_seconds{{ $selector }} or mpu_target_info{{ $selector }})
)) ^ 0
{{- else -}}
{{- .text -}}
{{- end -}}
{{- end }}

{{/* An alert's expression for Prometheus. A value of several lines stands in parentheses. */}}
{{- define "mpu-exporter.comparison" -}}
{{- if contains "\n" .value -}}
(
{{ .value | indent 2 }}
) {{ .operator }} {{ .threshold }}
{{- else -}}
{{ .value }} {{ .operator }} {{ .threshold }}
{{- end -}}
{{- end }}

{{/* Number of evaluations, one a minute, after which Grafana takes a missing series for resolved: as long as keepFiringFor. */}}
{{- define "mpu-exporter.evaluations" -}}
{{- $weeks := regexFind "[0-9]+w" . | trimSuffix "w" | int -}}
{{- $days := regexFind "[0-9]+d" . | trimSuffix "d" | int -}}
{{- $hours := regexFind "[0-9]+h" . | trimSuffix "h" | int -}}
{{- $minutes := regexFind "[0-9]+m($|[0-9])" . | regexFind "^[0-9]+" | int -}}
{{- add 2 (mul 10080 $weeks) (mul 1440 $days) (mul 60 $hours) $minutes -}}
{{- end }}

{{/*
An alert's value for Grafana. Where an exporter answers and has no series of it, as when the last bucket has left the config,
there is a 0 without labels: only then Grafana takes what was firing for gone. A value that is missing has its own 0.
*/}}
{{- define "mpu-exporter.grafanaValue" -}}
{{- if eq .alert.operator ">" -}}
(
{{ .alert.value | indent 2 }}
) or on () 0 * count({{ include "mpu-exporter.filled" (dict "text" "mpu_exporter_build_info{$selector}" "values" .values "threshold" "") }})
{{- else -}}
{{ .alert.value }}
{{- end -}}
{{- end }}

{{/* One alert as Grafana provisions it: the value, then its threshold. Without data it stays as it was. */}}
{{- define "mpu-exporter.grafanaRule" -}}
- uid: {{ kebabcase .alert.alert }}
  title: {{ .alert.alert }}
  condition: threshold
  data:
    - refId: A
      relativeTimeRange: {from: 600, to: 0}
      datasourceUid: {{ .datasource | quote }}
      model:
        refId: A
        instant: true
        expr: |-
          {{- include "mpu-exporter.grafanaValue" . | nindent 10 }}
    - refId: threshold
      datasourceUid: __expr__
      relativeTimeRange: {from: 600, to: 0}
      model:
        refId: threshold
        type: threshold
        expression: A
        conditions:
          - evaluator: {type: {{ ternary "gt" "lt" (eq .alert.operator ">") }}, params: [{{ .alert.threshold }}]}
  noDataState: KeepLast
  execErrState: Error
  for: {{ default "0s" .alert.for }}
  {{- with .alert.keepFiringFor }}
  keepFiringFor: {{ . }}
  missing_series_evals_to_resolve: {{ include "mpu-exporter.evaluations" . }}
  {{- end }}
  labels:
    {{- range $name, $text := .alert.labels }}
    {{ $name }}: {{ $text | replace "$" "$$" | quote }}
    {{- end }}
  annotations:
    {{- range $name, $text := .alert.annotations }}
    {{ $name }}: {{ regexReplaceAllLiteral "\\$value\\b" $text "$values.A.Value" | quote }}
    {{- end }}
{{- end }}
