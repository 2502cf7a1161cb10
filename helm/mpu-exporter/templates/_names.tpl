{{/* The chart's name, or nameOverride. */}}
{{- define "mpu-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
Release and chart, said once where one holds the other. Cut so that the 11 more characters of a StatefulSet's revision
fit; without the dots that a release's name may have and a Service's may not.
*/}}
{{- define "mpu-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | replace "." "-" | trunc 52 | trimAll "-" }}
{{- end }}

{{- define "mpu-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "mpu-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mpu-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Annotations of the service account: those of values, and what AKS and GKE know an identity by. */}}
{{- define "mpu-exporter.identity" -}}
{{- with .Values.serviceAccount -}}
{{- $found := deepCopy (default dict .annotations) -}}
{{- range $name, $value := dict
    "azure.workload.identity/client-id" .azureClientId
    "azure.workload.identity/tenant-id" .azureTenantId
    "iam.gke.io/gcp-service-account" .googleServiceAccount -}}
{{- if $value -}}{{- $found = set $found $name $value -}}{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}
{{- end }}

{{/* The label by which AKS gives a pod its identity's token. */}}
{{- define "mpu-exporter.identityLabel" -}}
{{- if .Values.serviceAccount.azureClientId }}
azure.workload.identity/use: "true"
{{- end }}
{{- end }}

{{/* What selects the pods. Never a version: these cannot be changed later. */}}
{{- define "mpu-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mpu-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: exporter
{{- end }}

{{/* Labels of every object but the pod, which a new chart version alone must not restart. */}}
{{- define "mpu-exporter.labels" -}}
{{- $own := include "mpu-exporter.selectorLabels" . | fromYaml -}}
{{- $own = set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $own = set $own "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $own = set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- merge $own (default dict .Values.commonLabels) | toYaml }}
{{- end }}

{{/* registry/repository:tag, or @digest */}}
{{- define "mpu-exporter.image" -}}
{{- $registry := default .Values.image.registry (.Values.global).imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* imagePullSecrets, from names and from maps with a name */}}
{{- define "mpu-exporter.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (default list (.Values.global).imagePullSecrets) (default list .Values.image.pullSecrets) -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with $secrets | uniq }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Annotations of an object: its own (passed as .own) and the common ones. */}}
{{- define "mpu-exporter.annotations" -}}
{{- with merge (deepCopy (default dict .own)) (default dict .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Name, place, labels and annotations of an object: .name, .namespace, .labels and .annotations are its own. */}}
{{- define "mpu-exporter.metadata" -}}
name: {{ default (include "mpu-exporter.fullname" .root) .name }}
namespace: {{ default (include "mpu-exporter.namespace" .root) .namespace }}
labels:
  {{- merge (include "mpu-exporter.labels" .root | fromYaml) (default dict .labels) | toYaml | nindent 2 }}
{{- with include "mpu-exporter.annotations" (dict "root" .root "own" .annotations) | trim }}
{{ . }}
{{- end }}
{{- end }}

{{/* Where the exporter answers within the cluster. A headless Service forwards no port. */}}
{{- define "mpu-exporter.host" -}}
{{ include "mpu-exporter.fullname" . }}.{{ include "mpu-exporter.namespace" . }}.svc
{{- end }}
{{- define "mpu-exporter.port" -}}
{{ ternary .Values.containerPort .Values.service.port (eq .Values.service.clusterIP "None") }}
{{- end }}
