{{/* Names, labels, images and addresses. */}}

{{- define "murmur.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 30 characters at most: names of pods and of Secrets are made from it, and a user of NATS is named like a coordinator's pod. */}}
{{- define "murmur.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) -}}
{{- if gt (len $full) 30 -}}
{{- fail (printf "fullnameOverride: the name %s of this release has %d characters and must have 30 at most; give a shorter release name, or set fullnameOverride" $full (len $full)) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "murmur.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Labels of every object. Input: ctx, component, group (of agents). */}}
{{- define "murmur.labels" -}}
{{- with .ctx.Values.global.labels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .ctx.Chart.Name .ctx.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .ctx.Release.Service }}
app.kubernetes.io/part-of: murmur
{{ include "murmur.selector" . }}
{{- end -}}

{{/* Labels of pods: without the versions, so that a new chart restarts only the pods that it changes. */}}
{{- define "murmur.podLabels" -}}
{{- with .ctx.Values.global.labels }}
{{- toYaml . }}
{{ end -}}
app.kubernetes.io/part-of: murmur
{{ include "murmur.selector" . }}
{{- end -}}

{{- define "murmur.selector" -}}
app.kubernetes.io/name: {{ include "murmur.name" .ctx }}
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .group }}
murmur/group: {{ . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object. Input: ctx, name, component, group. */}}
{{- define "murmur.metadata" -}}
name: {{ .name }}
namespace: {{ include "murmur.namespace" .ctx }}
labels:
  {{- include "murmur.labels" . | nindent 2 }}
{{- end -}}

{{/* The image of a container. Input: ctx, image. */}}
{{- define "murmur.image" -}}
{{- $image := .image -}}
{{- $ref := "" -}}
{{- if $image.fullImageName -}}
{{- $ref = $image.fullImageName -}}
{{- else -}}
{{- $ref = ternary (printf "%s@%s" $image.repository $image.digest) (printf "%s:%s" $image.repository ($image.tag | default .ctx.Chart.AppVersion)) (not (empty $image.digest)) -}}
{{- with $image.registry | default .ctx.Values.global.image.registry -}}
{{- $ref = printf "%s/%s" . $ref -}}
{{- end -}}
{{- end -}}
image: {{ $ref | quote }}
imagePullPolicy: {{ $image.pullPolicy | default .ctx.Values.global.image.pullPolicy | default "IfNotPresent" }}
{{- end -}}

{{/* A map of environment variables as a list; a value is a text, or a map such as valueFrom. Input: env, key. */}}
{{- define "murmur.env" -}}
{{- $key := .key -}}
{{- range $name, $value := .env }}
{{- if kindIs "map" $value }}
- {{ mergeOverwrite (dict "name" $name) $value | toYaml | nindent 2 | trim }}
{{- else }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The permissions of the swarm as a map; empty without them. */}}
{{- define "murmur.permissions" -}}
{{- if .Values.permissionsYaml -}}
{{- $parsed := .Values.permissionsYaml | fromYaml -}}
{{- if hasKey $parsed "Error" -}}
{{- fail (printf "permissionsYaml: must be the text of a permissions.yaml: %s" (get $parsed "Error")) -}}
{{- end -}}
{{- toJson $parsed -}}
{{- else -}}
{{- toJson .Values.permissions -}}
{{- end -}}
{{- end -}}

{{/* The file permissions.yaml that pods read. */}}
{{- define "murmur.permissionsText" -}}
{{- if .Values.permissionsYaml -}}
{{- .Values.permissionsYaml -}}
{{- else -}}
{{- toYaml .Values.permissions }}
{{ end -}}
{{- end -}}

{{/* The swarm's prefix: that of the permissions, else the value `prefix`. */}}
{{- define "murmur.prefix" -}}
{{- get (include "murmur.permissions" . | fromJson) "prefix" | default .Values.prefix | default "murmur" -}}
{{- end -}}

{{/* The ids of the coordinators: the names of their pods. */}}
{{- define "murmur.coordinatorIds" -}}
{{- $ids := list -}}
{{- range $at := until (int .Values.coordinators.replicas) -}}
{{- $ids = append $ids (printf "%s-coordinator-%d" (include "murmur.fullname" $) $at) -}}
{{- end -}}
{{- toJson $ids -}}
{{- end -}}

{{/* The URL of NATS for pods, without a Secret. */}}
{{- define "murmur.natsUrl" -}}
{{- if eq .Values.nats.mode "bundled" -}}
{{- printf "%s://%s-nats.%s.svc:4222" (ternary "tls" "nats" (not (empty .Values.nats.bundled.tlsSecret))) (include "murmur.fullname" .) (include "murmur.namespace" .) -}}
{{- else -}}
{{- .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the NKEY seed of a user. */}}
{{- define "murmur.seedSecret" -}}
{{- printf "%s-%s" .ctx.Values.auth.secretPrefix .user -}}
{{- end -}}

{{/* The groups of agents with the defaults under each, as JSON. */}}
{{- define "murmur.groups" -}}
{{- $groups := dict -}}
{{- range $name, $own := .Values.agents -}}
{{- if kindIs "map" $own -}}
{{- $_ := set $groups $name (mergeOverwrite (deepCopy $.Values.agentDefaults) (deepCopy $own)) -}}
{{- end -}}
{{- end -}}
{{- toJson $groups -}}
{{- end -}}
