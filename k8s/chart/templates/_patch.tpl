{{/*
Merge and patch, as NATS' chart has them on every object. An object takes `merge` (a map that is laid over it) and then `patch` (a list
of JSON Patch operations, RFC 6902: add, remove, replace, copy, move, test).
*/}}

{{/*
The object of `doc` (YAML), changed by `with.merge` and `with.patch`. `key`: the value that errors name.
*/}}
{{- define "murmur.object" -}}
{{- $doc := .doc | fromYaml -}}
{{- if hasKey $doc "Error" -}}
{{- fail (printf "%s: the chart rendered no YAML: %s" .key (get $doc "Error")) -}}
{{- end -}}
{{- $with := .with | default dict -}}
{{- $doc = mergeOverwrite $doc (deepCopy ($with.merge | default dict)) -}}
{{- $key := .key -}}
{{- range $at, $step := $with.patch | default list -}}
{{- $where := printf "%s.patch[%d]" $key $at -}}
{{- $path := include "murmur.pointer" (dict "text" $step.path "where" $where) | fromJsonArray -}}
{{- $value := get $step "value" -}}
{{- if has $step.op (list "copy" "move") -}}
  {{- $from := include "murmur.pointer" (dict "text" ($step.from | default "") "where" $where) | fromJsonArray -}}
  {{- $value = get (include "murmur.read" (dict "node" $doc "path" $from "where" $where) | fromJson) "value" -}}
  {{- if eq $step.op "move" -}}
    {{- $doc = get (include "murmur.change" (dict "node" $doc "path" $from "op" "remove" "where" $where) | fromJson) "node" -}}
  {{- end -}}
{{- end -}}
{{- if eq $step.op "test" -}}
  {{- $found := get (include "murmur.read" (dict "node" $doc "path" $path "where" $where) | fromJson) "value" -}}
  {{- if ne (toJson $found) (toJson $value) -}}
  {{- fail (printf "%s: expected %s at %s, found %s" $where (toJson $value) $step.path (toJson $found)) -}}
  {{- end -}}
{{- else -}}
  {{- $op := ternary "add" $step.op (has $step.op (list "copy" "move")) -}}
  {{- $doc = get (include "murmur.change" (dict "node" $doc "path" $path "op" $op "value" $value "where" $where) | fromJson) "node" -}}
{{- end -}}
{{- end -}}
{{- toYaml $doc -}}
{{- end -}}

{{/* The parts of a JSON pointer, as a JSON list. */}}
{{- define "murmur.pointer" -}}
{{- if and .text (not (hasPrefix "/" .text)) -}}
{{- fail (printf "%s: a path starts with /, got %s" .where .text) -}}
{{- end -}}
{{- $parts := list -}}
{{- if .text -}}
{{- range rest (splitList "/" .text) -}}
{{- $parts = append $parts (replace "~0" "~" (replace "~1" "/" .)) -}}
{{- end -}}
{{- end -}}
{{- toJson $parts -}}
{{- end -}}

{{/* The value at `path` of `node`, as {"value": …}. */}}
{{- define "murmur.read" -}}
{{- if eq (len .path) 0 -}}
{{- toJson (dict "value" .node) -}}
{{- else -}}
{{- $child := get (include "murmur.child" . | fromJson) "value" -}}
{{- include "murmur.read" (dict "node" $child "path" (rest .path) "where" .where) -}}
{{- end -}}
{{- end -}}

{{/* The child of `node` that the first part of `path` names, as {"value": …}. */}}
{{- define "murmur.child" -}}
{{- $part := first .path -}}
{{- if kindIs "map" .node -}}
  {{- if not (hasKey .node $part) -}}
  {{- fail (printf "%s: there is no %q; known: %s" .where $part (keys .node | sortAlpha | join ", ")) -}}
  {{- end -}}
  {{- toJson (dict "value" (get .node $part)) -}}
{{- else if kindIs "slice" .node -}}
  {{- $at := atoi $part -}}
  {{- if or (ne (toString $at) $part) (lt $at 0) (ge $at (len .node)) -}}
  {{- fail (printf "%s: the list has %d entries, and no %q" .where (len .node) $part) -}}
  {{- end -}}
  {{- toJson (dict "value" (index .node $at)) -}}
{{- else -}}
  {{- fail (printf "%s: %q is below a value that is neither a map nor a list" .where $part) -}}
{{- end -}}
{{- end -}}

{{/* `node` after `op` (add, remove, replace) at `path`, as {"node": …}. */}}
{{- define "murmur.change" -}}
{{- if not (has .op (list "add" "remove" "replace")) -}}
{{- fail (printf "%s: op must be add, remove, replace, copy, move or test, got %s" .where .op) -}}
{{- end -}}
{{- if eq (len .path) 0 -}}
  {{- if eq .op "remove" -}}
  {{- fail (printf "%s: the whole object cannot be removed" .where) -}}
  {{- end -}}
  {{- toJson (dict "node" .value) -}}
{{- else -}}
  {{- $node := .node -}}
  {{- $part := first .path -}}
  {{- $isLast := eq (len .path) 1 -}}
  {{- $isNew := and $isLast (eq .op "add") -}}
  {{- $child := dict -}}
  {{- if not $isNew -}}
    {{- $child = include "murmur.child" . | fromJson -}}
    {{- if not $isLast -}}
    {{- $child = include "murmur.change" (dict "node" (get $child "value") "path" (rest .path) "op" .op "value" .value "where" .where) | fromJson -}}
    {{- $_ := set $child "value" (get $child "node") -}}
    {{- end -}}
  {{- end -}}
  {{- $value := ternary .value (get $child "value") (and $isLast (ne .op "remove")) -}}
  {{- if kindIs "map" $node -}}
    {{- $node = deepCopy $node -}}
    {{- if and $isLast (eq .op "remove") -}}
    {{- $_ := unset $node $part -}}
    {{- else -}}
    {{- $_ := set $node $part $value -}}
    {{- end -}}
  {{- else if kindIs "slice" $node -}}
    {{- $at := ternary (len $node) (atoi $part) (eq $part "-") -}}
    {{- if or (lt $at 0) (gt $at (len $node)) (and (ne $part "-") (ne (toString $at) $part)) -}}
    {{- fail (printf "%s: the list has %d entries, and no place %q" .where (len $node) $part) -}}
    {{- end -}}
    {{- $before := slice $node 0 $at -}}
    {{- $after := ternary (slice $node $at) (slice $node (min (add $at 1) (len $node) | int)) $isNew -}}
    {{- if and $isLast (eq .op "remove") -}}
    {{- $node = concat $before $after -}}
    {{- else -}}
    {{- $node = concat (append $before $value) $after -}}
    {{- end -}}
  {{- else -}}
    {{- fail (printf "%s: %q is below a value that is neither a map nor a list" .where $part) -}}
  {{- end -}}
  {{- toJson (dict "node" $node) -}}
{{- end -}}
{{- end -}}
