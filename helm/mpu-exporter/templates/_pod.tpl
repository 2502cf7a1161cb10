{{/* The pods, of a Deployment and of a StatefulSet alike. */}}
{{- define "mpu-exporter.pod" -}}
metadata:
  labels:
    {{- merge (include "mpu-exporter.selectorLabels" . | fromYaml) (include "mpu-exporter.identityLabel" . | fromYaml) (default dict .Values.podLabels) (default dict .Values.commonLabels) | toYaml | nindent 4 }}
  {{- $annotations := deepCopy (default dict .Values.podAnnotations) }}
  {{- if and (include "mpu-exporter.ownConfig" .) (not .Values.reload.enabled) }}
  {{- $annotations = set $annotations "checksum/config" (include "mpu-exporter.config" . | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "mpu-exporter.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
  enableServiceLinks: false
  {{- with include "mpu-exporter.pullSecrets" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- range $field, $value := dict
      "securityContext" (include "mpu-exporter.podSecurityContext" . | fromYaml)
      "priorityClassName" .Values.priorityClassName
      "runtimeClassName" .Values.runtimeClassName
      "schedulerName" .Values.schedulerName
      "hostNetwork" .Values.hostNetwork
      "dnsPolicy" (default (ternary "ClusterFirstWithHostNet" "" (eq .Values.hostNetwork true)) .Values.dnsPolicy)
      "dnsConfig" .Values.dnsConfig
      "hostAliases" .Values.hostAliases
      "nodeSelector" .Values.nodeSelector
      "tolerations" .Values.tolerations
      "affinity" .Values.affinity
      "topologySpreadConstraints" (include "mpu-exporter.spread" . | fromYamlArray)
      "initContainers" .Values.initContainers }}
  {{- with $value }}
  {{- toYaml (dict $field .) | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if kindIs "bool" .Values.hostUsers }}
  hostUsers: {{ .Values.hostUsers }}
  {{- end }}
  containers:
    - {{ include "mpu-exporter.container" . | nindent 6 | trim }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "mpu-exporter.volumes" . | nindent 4 }}
{{- end }}

{{/* As values have it; what Kubernetes before 1.31 does not know is left out where empty. */}}
{{- define "mpu-exporter.podSecurityContext" -}}
{{- $context := default dict .Values.podSecurityContext -}}
{{- toYaml (ternary $context (omit $context "supplementalGroupsPolicy") (not (empty $context.supplementalGroupsPolicy))) }}
{{- end }}

{{/* The constraints as values have them; those that do not say of which pods are of ours. Else they would be of none. */}}
{{- define "mpu-exporter.spread" -}}
{{- $ours := dict "matchLabels" (include "mpu-exporter.selectorLabels" . | fromYaml) -}}
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (merge (deepCopy .) (ternary dict (dict "labelSelector" $ours) (hasKey . "labelSelector"))) -}}
{{- end -}}
{{- toYaml $constraints }}
{{- end }}
