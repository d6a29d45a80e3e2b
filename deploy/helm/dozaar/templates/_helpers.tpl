{{- define "dozaar.name" -}}
{{ printf "%s-%s" .root.Release.Name .role }}
{{- end }}

{{/* What makes no sense together, which no schema can say. */}}
{{- define "dozaar.check" -}}
{{- if gt (len .Release.Name) 40 }}
{{- fail "the release's name has more than 40 characters: with what is added to it, it would be too long for a Service or a StatefulSet's pods" }}
{{- end }}
{{- with .Values.gateway.drain }}
{{- $over := regexFind "^[0-9]+" .over | int }}
{{- if hasSuffix "ms" .over }}{{ $over = div (add $over 999) 1000 }}{{ else if hasSuffix "m" .over }}{{ $over = mul $over 60 }}{{ end }}
{{- $least := add .delay (mul 2 $over) 5 }}
{{- if or (gt $least (int64 .grace)) (gt (add .delay 6) (int64 .grace)) }}
{{- fail (printf "gateway.drain.grace is %d s, and must be at least delay, twice over and five: %d s" (int64 .grace) (max $least (add .delay 6))) }}
{{- end }}
{{- end }}
{{- range $role := list "gateway" "deliver" }}
{{- with (index $.Values $role).autoscaling }}
{{- if and .enabled (gt (int64 .min) (int64 .max)) }}{{ fail (printf "%s.autoscaling: min is greater than max" $role) }}{{ end }}
{{- end }}
{{- end }}
{{- $key := false }}
{{- range $name := list "DOZAAR_JWT_SECRET" "DOZAAR_JWT_KEY_FILE" "DOZAAR_JWT_JWKS_URL" }}
{{- if or (hasKey $.Values.secrets $name) (hasKey $.Values.env $name) (hasKey $.Values.gateway.env $name) }}{{ $key = true }}{{ end }}
{{- end }}
{{- if not $key }}{{ fail "nothing says how tokens are verified: put DOZAAR_JWT_SECRET under secrets, or DOZAAR_JWT_JWKS_URL or DOZAAR_JWT_KEY_FILE under secrets or env" }}{{ end }}
{{- range $name, $_ := .Values.secrets }}
{{- range $env := list $.Values.env $.Values.prepare.env $.Values.gateway.env $.Values.deliver.env $.Values.presence.env $.Values.notify.env }}
{{- if hasKey $env $name }}{{ fail (printf "%s is both under secrets and under env" $name) }}{{ end }}
{{- end }}
{{- end }}
{{- if .Values.engines.schemaRegistryURL }}
{{- if hasKey .Values.secrets "DOZAAR_SCHEMA_REGISTRY_URL" }}{{ fail "engines.schemaRegistryURL is given, and DOZAAR_SCHEMA_REGISTRY_URL under secrets too" }}{{ end }}
{{- else if not (hasKey .Values.secrets "DOZAAR_SCHEMA_REGISTRY_URL") }}
{{- fail "there is neither engines.schemaRegistryURL nor DOZAAR_SCHEMA_REGISTRY_URL under secrets" }}
{{- end }}
{{- end }}

{{/* The ports of the engines, and those that were given besides. */}}
{{- define "dozaar.egressPorts" -}}
{{- $ports := list }}
{{- range .Values.networkPolicy.egressPorts }}{{ $ports = append $ports (int .) }}{{ end }}
{{- range concat .Values.engines.kafkaBrokers .Values.engines.redisAddrs .Values.engines.cassandraHosts (list (regexReplaceAll "/+$" (.Values.engines.schemaRegistryURL | default "") "")) }}
{{- with regexFind ":[0-9]+$" . }}{{ $ports = append $ports (trimPrefix ":" . | int) }}{{ end }}
{{- end }}
{{- range $port := $ports | uniq }}
- {port: {{ $port }}, protocol: TCP}
{{- end }}
{{- end }}

{{- define "dozaar.volumes" -}}
{{- with .Values.files -}}
volumes:
{{- range $i, $from := . }}
  - {name: files-{{ $i }}, secret: {secretName: {{ $from.secret | quote }}, defaultMode: 0444}}
{{- end }}
{{- end }}
{{- end }}

{{- define "dozaar.selector" -}}
app.kubernetes.io/name: dozaar
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "dozaar.labels" -}}
{{ include "dozaar.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "dozaar.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What every container of ours may do: next to nothing. */}}
{{- define "dozaar.container" -}}
image: {{ include "dozaar.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .Values.files }}
volumeMounts:
{{- range $i, $from := . }}
  - {name: files-{{ $i }}, mountPath: {{ $from.at | quote }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "dozaar.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings: where the engines are, then what was given, then secrets by their names. Call with root, role and env. Only
gateways look at tokens, and only they have the key; only notify posts to the webhook, and has its secret. */}}
{{- define "dozaar.env" -}}
{{- with .root.Values.engines }}
- {name: DOZAAR_KAFKA_BROKERS, value: {{ join "," .kafkaBrokers | quote }}}
{{- with .schemaRegistryURL }}
- {name: DOZAAR_SCHEMA_REGISTRY_URL, value: {{ . | quote }}}
{{- end }}
- {name: DOZAAR_CASSANDRA_HOSTS, value: {{ join "," .cassandraHosts | quote }}}
- {name: DOZAAR_REDIS_ADDRS, value: {{ join "," .redisAddrs | quote }}}
{{- end }}
{{- range $name, $value := merge (dict) .env .root.Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- $role := .role }}
{{- range $name, $from := .root.Values.secrets }}
{{- if and (or (eq $role "gateway") (not (hasPrefix "DOZAAR_JWT_" $name))) (or (eq $role "notify") (not (hasPrefix "DOZAAR_NOTIFY_" $name))) }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.name | quote }}, key: {{ $from.key | quote }}}}
{{- end }}
{{- end }}
{{- end }}

{{/* A role's pod. Call with root, role, values, grace, and env: what the role is given besides. */}}
{{- define "dozaar.pod" -}}
metadata:
  labels:
    {{- include "dozaar.labels" . | nindent 4 }}
spec:
  {{- include "dozaar.podSecurity" .root | nindent 2 }}
  {{- with include "dozaar.volumes" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .grace }}
  topologySpreadConstraints:
    {{- range .root.Values.spread }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "dozaar.selector" $ | nindent 10 }}
    {{- end }}
  {{- with include "dozaar.where" .root }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  containers:
    - name: {{ .role }}
      args: [{{ .role }}]
      {{- include "dozaar.container" .root | nindent 6 }}
      env:
        - {name: DOZAAR_ADMIN_LISTEN, value: "0.0.0.0:3001"}
        {{- if not (hasKey (merge (dict) .values.env .root.Values.env) "DOZAAR_LOG_FORMAT") }}
        - {name: DOZAAR_LOG_FORMAT, value: json}
        {{- end }}
        {{- with .fixed }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- include "dozaar.env" (dict "root" .root "role" .role "env" .values.env) | nindent 8 }}
      ports:
        {{- if eq .role "gateway" }}
        - {name: http, containerPort: 3000}
        {{- end }}
        - {name: admin, containerPort: 3001}
      livenessProbe: # of the process alone: an engine that is away is no reason to restart it
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 2
      {{- with .delay }}
      lifecycle:
        preStop: {sleep: {seconds: {{ . }}}}
      {{- end }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
{{- end }}
