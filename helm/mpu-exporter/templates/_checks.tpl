{{/* Fails where .found has something twice. What is the chart's comes first in it. .value is the values key, .else the way out. */}}
{{- define "mpu-exporter.noneTwice" -}}
{{- $seen := list -}}
{{- range .found -}}
{{- if has . $seen -}}
{{- fail (printf "%s: %v is taken, by the chart or by another entry: %s" $.value . $.else) -}}
{{- end -}}
{{- $seen = append $seen . -}}
{{- end -}}
{{- end }}

{{/* Fails where .theirs, the labels of the values key .value, has one of .ours with another value. */}}
{{- define "mpu-exporter.noOtherLabels" -}}
{{- range $name, $text := .theirs -}}
{{- if and (hasKey $.ours $name) (ne (get $.ours $name) $text) -}}
{{- fail (printf "%s: the label %s is the chart's own and is %s: leave it out, or use another label" $.value $name (get $.ours $name)) -}}
{{- end -}}
{{- end -}}
{{- end }}
