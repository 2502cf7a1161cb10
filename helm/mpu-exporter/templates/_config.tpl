{{/* The config is written by this chart, rather than by someone else. */}}
{{- define "mpu-exporter.ownConfig" -}}
{{- if not (or .Values.existingConfigMap .Values.existingConfigSecret) }}true{{ end }}
{{- end }}

{{/* The config as values have it, with the state's path where none is set. */}}
{{- define "mpu-exporter.config" -}}
{{- $config := deepCopy (default dict .Values.config) -}}
{{- $state := default dict $config.state -}}
{{- if and .Values.state.enabled (not $state.path) -}}
{{- $config = set $config "state" (set $state "path" (include "mpu-exporter.statePath" .)) -}}
{{- end -}}
{{- toYaml $config }}
{{- end }}

{{/*
The places of secrets that stand in the config itself, by commas. Not those that come from the environment, ${NAME}; a default, as in
${NAME:-text}, does stand there, and so does text beside a variable. The user of a proxy may stand there where a password follows that
is nothing but variables: alone it may be a token.
*/}}
{{- define "mpu-exporter.literalSecrets" -}}
{{- $places := list -}}
{{- range $number, $target := (.Values.config).targets -}}
{{- range $key, $value := default dict $target.credentials -}}
{{- $public := or (has $key (list "profile" "access_key_id" "assume_role")) (hasSuffix "_file" $key) -}}
{{- if and $value (not $public) (trim (include "mpu-exporter.blankVariables" $value)) -}}
{{- $places = append $places (printf "config.targets[%d].credentials.%s" $number $key) -}}
{{- end -}}
{{- end -}}
{{- $proxy := include "mpu-exporter.blankVariables" (default "" $target.proxy_url) -}}
{{- $user := regexReplaceAll "^[-+.A-Za-z0-9 ]*://" (regexFind "(?s)^.*@" $proxy) "" | trimSuffix "@" -}}
{{- if not (regexMatch "^([^:]*: +|[ :]*)$" $user) -}}
{{- $places = append $places (printf "config.targets[%d].proxy_url" $number) -}}
{{- end -}}
{{- end -}}
{{- join ", " $places }}
{{- end }}

{{/* A text with a blank for each ${NAME} and ${NAME:-}. */}}
{{- define "mpu-exporter.blankVariables" -}}
{{- regexReplaceAll "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-)?\\}" (toString .) " " -}}
{{- end }}

{{- define "mpu-exporter.statePath" -}}
{{ trimSuffix "/" .Values.state.mountPath }}/state.db
{{- end }}

{{/* There is a web config: this chart's, or someone else's. */}}
{{- define "mpu-exporter.hasWebConfig" -}}
{{- if or .Values.web.tls.enabled .Values.web.existingConfigSecret }}true{{ end }}
{{- end }}

{{- define "mpu-exporter.ownWebConfig" -}}
{{- if and .Values.web.tls.enabled (not .Values.web.existingConfigSecret) }}true{{ end }}
{{- end }}

{{- define "mpu-exporter.webConfig" -}}
tls_server_config:
  cert_file: tls.crt
  key_file: tls.key
  {{- if .Values.web.tls.clientAuth }}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: client-ca.crt
  {{- end }}
{{- end }}

{{/* A StatefulSet, whose pods have names and volumes that last, rather than a Deployment. */}}
{{- define "mpu-exporter.isStateful" -}}
{{- if or (gt (int .Values.shards) 1) (and .Values.state.enabled .Values.state.persistence.enabled) }}true{{ end }}
{{- end }}

{{- define "mpu-exporter.workload" -}}
{{ ternary "statefulset" "deployment" (eq (include "mpu-exporter.isStateful" .) "true") }}/{{ include "mpu-exporter.fullname" . }}
{{- end }}

{{- define "mpu-exporter.replicas" -}}
{{ ternary .Values.shards .Values.replicas (kindIs "invalid" .Values.replicas) }}
{{- end }}

{{/*
How pods are replaced, with Kubernetes' own defaults written out: what Helm has never applied it does not take back either, and
a rollingUpdate that the cluster had filled in would be refused beside the next type.
*/}}
{{- define "mpu-exporter.strategy" -}}
{{- $strategy := deepCopy (default (dict "type" "Recreate") .Values.strategy) -}}
{{- if eq $strategy.type "RollingUpdate" -}}
{{- $limits := mergeOverwrite (dict "maxSurge" "25%" "maxUnavailable" "25%") (default dict $strategy.rollingUpdate) -}}
{{- $strategy = set $strategy "rollingUpdate" $limits -}}
{{- end -}}
{{- toYaml $strategy }}
{{- end }}

{{- define "mpu-exporter.updateStrategy" -}}
{{- $strategy := deepCopy (default (dict "type" "RollingUpdate") .Values.updateStrategy) -}}
{{- if eq $strategy.type "RollingUpdate" -}}
{{- $strategy = set $strategy "rollingUpdate" (mergeOverwrite (dict "partition" 0) (default dict $strategy.rollingUpdate)) -}}
{{- end -}}
{{- toYaml $strategy }}
{{- end }}
