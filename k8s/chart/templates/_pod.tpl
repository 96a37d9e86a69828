{{/* The containers and pods of Murmur's own image. The objects around them are in a file each. */}}

{{/*
The environment of a container as a map. Input: ctx, user (of NATS; empty for coordinators, whose user is the pod's name), drainSeconds,
more (a map), own (the component's `env`).
*/}}
{{- define "murmur.environment" -}}
{{- $v := .ctx.Values -}}
{{- $env := dict "MURMUR_PREFIX" (include "murmur.prefix" .ctx) "MURMUR_LOG_LEVEL" $v.logLevel "MURMUR_LOG_FORMAT" "json" "MURMUR_DATA" "/tmp/murmur" -}}
{{- $_ := set $env "MURMUR_METRICS_HOST" "0.0.0.0" -}}
{{- $_ := set $env "MURMUR_METRICS_PORT" "9464" -}}
{{- if .drainSeconds -}}
{{- $_ := set $env "MURMUR_DRAIN_GRACE_MS" (mul (int .drainSeconds) 1000 | toString) -}}
{{- end -}}
{{- if and (eq $v.nats.mode "external") $v.nats.urlSecret.name -}}
{{- $_ := set $env "MURMUR_SERVER_FILE" (printf "/etc/murmur/server/%s" $v.nats.urlSecret.key) -}}
{{- else -}}
{{- $_ := set $env "MURMUR_SERVER" (include "murmur.natsUrl" .ctx) -}}
{{- end -}}
{{- with $v.nats.tls -}}
{{- if .caSecret.name -}}
{{- $_ := set $env "MURMUR_TLS_CA" (printf "/etc/murmur/tls-ca/%s" .caSecret.key) -}}
{{- end -}}
{{- if .clientSecret.name -}}
{{- $_ := set $env "MURMUR_TLS_CERT" (printf "/etc/murmur/tls-client/%s" .clientSecret.cert) -}}
{{- $_ := set $env "MURMUR_TLS_KEY" (printf "/etc/murmur/tls-client/%s" .clientSecret.key) -}}
{{- end -}}
{{- if .first -}}
{{- $_ := set $env "MURMUR_TLS_FIRST" "true" -}}
{{- end -}}
{{- end -}}
{{- if $v.auth.enabled -}}
{{- $_ := set $env "MURMUR_NKEY_FILE" (printf "/etc/murmur/nkey/%s" (ternary $v.auth.seedKey "$(POD_NAME)" (not (empty .user)))) -}}
{{- $_ := set $env "MURMUR_INBOX_PREFIX" (printf "_INBOX.%s" (.user | default "$(POD_NAME)")) -}}
{{- end -}}
{{- toJson (mergeOverwrite $env (deepCopy .more) (deepCopy $v.env) (deepCopy .own)) -}}
{{- end -}}

{{/* One container. Input: as murmur.environment; and key, name, image, args, resources, container (merge, patch), probes, ports, mounts, lifecycle. */}}
{{- define "murmur.container" -}}
{{- $v := .ctx.Values -}}
{{- $doc := include "murmur.containerDoc" . -}}
{{- include "murmur.object" (dict "doc" $doc "with" .container "key" (printf "%s.container" .key)) -}}
{{- end -}}

{{- define "murmur.containerDoc" -}}
{{- $v := .ctx.Values -}}
name: {{ .name }}
{{ include "murmur.image" (dict "ctx" .ctx "image" .image) }}
args: {{ toJson .args }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- include "murmur.env" (dict "env" (include "murmur.environment" . | fromJson)) | nindent 2 }}
{{- with .ports }}
ports: {{ toJson . }}
{{- end }}
{{- if .probes }}
startupProbe:
  httpGet: { path: /livez, port: probes }
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 30
# A node without spare CPU answers slowly. A restart would cost it more CPU, so only 40 s without an answer mean that the process hangs.
livenessProbe:
  httpGet: { path: /livez, port: probes }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: { path: /readyz, port: probes }
  periodSeconds: 2
  timeoutSeconds: 1
  failureThreshold: 2
{{- end }}
{{- with .lifecycle }}
lifecycle: {{ toJson . }}
{{- end }}
resources: {{ toJson .resources }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  {{- if and (eq $v.nats.mode "external") $v.nats.urlSecret.name }}
  - { name: server, mountPath: /etc/murmur/server, readOnly: true }
  {{- end }}
  {{- if $v.nats.tls.caSecret.name }}
  - { name: tls-ca, mountPath: /etc/murmur/tls-ca, readOnly: true }
  {{- end }}
  {{- if $v.nats.tls.clientSecret.name }}
  - { name: tls-client, mountPath: /etc/murmur/tls-client, readOnly: true }
  {{- end }}
  {{- if $v.auth.enabled }}
  # The whole folder: Kubernetes does not renew a file that is mounted by subPath, so a rotated key would need a restart.
  - { name: nkey, mountPath: /etc/murmur/nkey, readOnly: true }
  {{- end }}
  {{- range .mounts }}
  - {{ toJson . }}
  {{- end }}
{{- end -}}

{{/* The volume with the key of the NATS user, for one user or for all coordinators. Input: ctx, user. */}}
{{- define "murmur.keyVolume" -}}
{{- $ctx := .ctx -}}
{{- if .user -}}
name: nkey
secret:
  secretName: {{ include "murmur.seedSecret" . }}
  defaultMode: 0440
  items: [{ key: {{ $ctx.Values.auth.seedKey }}, path: {{ $ctx.Values.auth.seedKey }} }]
{{- else -}}
name: nkey
projected:
  defaultMode: 0440
  sources:
    {{- range include "murmur.coordinatorIds" $ctx | fromJsonArray }}
    - secret:
        name: {{ include "murmur.seedSecret" (dict "ctx" $ctx "user" .) }}
        items: [{ key: {{ $ctx.Values.auth.seedKey }}, path: {{ . }} }]
    {{- end }}
{{- end -}}
{{- end -}}

{{/*
A pod template. Input: ctx, component, group, user, key, containers (YAML, one container), podTemplate (merge, patch,
topologySpreadConstraints), graceSeconds, volumes (a list), restartPolicy, annotations.
*/}}
{{- define "murmur.podTemplate" -}}
{{- include "murmur.object" (dict "doc" (include "murmur.podTemplateDoc" .) "with" .podTemplate "key" (printf "%s.podTemplate" .key)) -}}
{{- end -}}

{{- define "murmur.podTemplateDoc" -}}
{{- $v := .ctx.Values -}}
{{- $in := . -}}
metadata:
  labels:
    {{- include "murmur.podLabels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{ toJson . }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $v.global.image.pullSecretNames }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  terminationGracePeriodSeconds: {{ .graceSeconds }}
  {{- with .podTemplate.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range $key, $constraint := . }}
    - {{ mergeOverwrite (dict "topologyKey" $key "labelSelector" (dict "matchLabels" (include "murmur.selector" $in | fromYaml))) $constraint | toJson }}
    {{- end }}
  {{- end }}
  containers:
    - {{ .containers | nindent 6 | trim }}
  volumes:
    - { name: tmp, emptyDir: { sizeLimit: 256Mi } }
    {{- if and (eq $v.nats.mode "external") $v.nats.urlSecret.name }}
    - { name: server, secret: { secretName: {{ $v.nats.urlSecret.name }}, defaultMode: 0440 } }
    {{- end }}
    {{- with $v.nats.tls.caSecret.name }}
    - { name: tls-ca, secret: { secretName: {{ . }}, defaultMode: 0440 } }
    {{- end }}
    {{- with $v.nats.tls.clientSecret.name }}
    - { name: tls-client, secret: { secretName: {{ . }}, defaultMode: 0440 } }
    {{- end }}
    {{- if $v.auth.enabled }}
    - {{ include "murmur.keyVolume" . | nindent 6 | trim }}
    {{- end }}
    {{- range .volumes }}
    - {{ toJson . }}
    {{- end }}
{{- end -}}

{{/* A PodDisruptionBudget of a component. Input: ctx, name, component, group, with (enabled, merge, patch), key. */}}
{{- define "murmur.podDisruptionBudget" -}}
{{- if .with.enabled }}
---
{{ include "murmur.object" (dict "doc" (include "murmur.podDisruptionBudgetDoc" .) "with" .with "key" (printf "%s.podDisruptionBudget" .key)) }}
{{- end }}
{{- end -}}

{{- define "murmur.podDisruptionBudgetDoc" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "murmur.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "murmur.selector" . | nindent 6 }}
{{- end -}}
