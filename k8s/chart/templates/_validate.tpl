{{/* Faults that lie between values, which the schema cannot see. Each error names the key. */}}
{{- define "murmur.validate" -}}
{{- $v := .Values -}}
{{- $permissions := include "murmur.permissions" . | fromJson -}}
{{- if and $v.permissions $v.permissionsYaml -}}
{{- fail "permissionsYaml: give the permissions once, as permissions (a map) or as permissionsYaml (the text of a file)" -}}
{{- end -}}
{{- if and $v.auth.enabled (not $permissions) -}}
{{- fail "auth.enabled: needs the permissions of the swarm; give --set-file permissionsYaml=permissions.yaml, or permissions in the values" -}}
{{- end -}}
{{- if and (eq $v.nats.mode "external") (not $v.nats.url) (not $v.nats.urlSecret.name) -}}
{{- fail "nats.url: is empty; give the URL of your NATS servers, or nats.urlSecret, or nats.mode=bundled" -}}
{{- end -}}
{{- if and (eq $v.nats.mode "bundled") $v.nats.urlSecret.name -}}
{{- fail "nats.urlSecret.name: has no effect with nats.mode=bundled; remove it" -}}
{{- end -}}
{{- if and (eq $v.nats.mode "bundled") $v.nats.bundled.tlsSecret (not $v.nats.tls.caSecret.name) -}}
{{- fail "nats.tls.caSecret.name: must name the Secret with the CA of nats.bundled.tlsSecret" -}}
{{- end -}}
{{- if and $v.api.ingress.enabled (not $v.api.ingress.hosts) -}}
{{- fail "api.ingress.hosts: is empty; give at least one host name" -}}
{{- end -}}
{{- if and $v.api.httpRoute.enabled (not $v.api.httpRoute.parentRefs) -}}
{{- fail "api.httpRoute.parentRefs: is empty; name the Gateway of the route" -}}
{{- end -}}
{{- if $permissions -}}
  {{- if ne (int (get $permissions "version")) 1 -}}
  {{- fail (printf "permissions.version: must be 1, got %v" (get $permissions "version")) -}}
  {{- end -}}
  {{- $wanted := include "murmur.coordinatorIds" . | fromJsonArray -}}
  {{- $listed := get $permissions "coordinators" | default list -}}
  {{- if ne (toJson (sortAlpha $wanted)) (toJson (sortAlpha $listed)) -}}
  {{- fail (printf "permissions.coordinators: must be the pods of the coordinators, [%s] (coordinators.replicas is %d), got [%s]" (join ", " $wanted) (int $v.coordinators.replicas) (join ", " $listed)) -}}
  {{- end -}}
{{- end -}}
{{- $classes := dict -}}
{{- $groupsOfFile := dict -}}
{{- range $class := get $permissions "classes" | default list -}}
  {{- $_ := set $classes $class.name $class -}}
  {{- range $group := $class.groups | default list -}}
    {{- $_ := set $groupsOfFile $group.name (dict "class" $class.name "slots" $group.slots) -}}
  {{- end -}}
{{- end -}}
{{- range $name, $group := include "murmur.groups" . | fromJson -}}
  {{- if not $group.roles -}}
  {{- fail (printf "agents.%s.roles: is empty; name at least one role, such as echo" $name) -}}
  {{- end -}}
  {{- range $role, $configMap := $group.roleConfigMaps -}}
    {{- if not (has $role $group.roles) -}}
    {{- fail (printf "agents.%s.roleConfigMaps.%s: is no role of the group; its roles: %s" $name $role (join ", " $group.roles)) -}}
    {{- end -}}
  {{- end -}}
  {{- if $permissions -}}
    {{- if not (hasKey $classes $group.class) -}}
    {{- fail (printf "agents.%s.class: %s is no class of the permissions; known: %s" $name $group.class (keys $classes | sortAlpha | join ", ")) -}}
    {{- end -}}
    {{- $ofFile := get $groupsOfFile $name -}}
    {{- if not $ofFile -}}
    {{- fail (printf "agents.%s: the permissions list no such group; add it to the groups of class %s, known: %s" $name $group.class (keys $groupsOfFile | sortAlpha | join ", ")) -}}
    {{- end -}}
    {{- if ne $ofFile.class $group.class -}}
    {{- fail (printf "agents.%s.class: is %s, and the permissions list the group in class %s" $name $group.class $ofFile.class) -}}
    {{- end -}}
    {{- if ne (int $ofFile.slots) (int $group.slots) -}}
    {{- fail (printf "agents.%s.slots: is %d, and the permissions say %d" $name (int $group.slots) (int $ofFile.slots)) -}}
    {{- end -}}
  {{- end -}}
  {{- with $group.autoscaling -}}
  {{- if .enabled -}}
    {{- if not $permissions -}}
    {{- fail (printf "agents.%s.autoscaling.enabled: needs the permissions of the swarm, which name the groups and their capabilities" $name) -}}
    {{- end -}}
    {{- if gt (int .minReplicas) (int .maxReplicas) -}}
    {{- fail (printf "agents.%s.autoscaling.minReplicas: %d is above maxReplicas, %d" $name (int .minReplicas) (int .maxReplicas)) -}}
    {{- end -}}
    {{- if and (eq .trigger "metrics-api") (not $.Values.api.enabled) -}}
    {{- fail (printf "agents.%s.autoscaling.trigger: metrics-api asks the API; set api.enabled, or take nats-jetstream" $name) -}}
    {{- end -}}
    {{- if and (eq .trigger "nats-jetstream") (eq $.Values.nats.mode "external") (not $.Values.nats.monitoringEndpoint) -}}
    {{- fail (printf "agents.%s.autoscaling.trigger: nats-jetstream needs nats.monitoringEndpoint, the host:port of the monitoring of your NATS" $name) -}}
    {{- end -}}
  {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
