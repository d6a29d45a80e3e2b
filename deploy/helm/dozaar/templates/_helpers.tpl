{{- define "dozaar.name" -}}
{{ printf "%s-%s" .root.Release.Name .role | trunc 63 | trimSuffix "-" }}
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
  - name: {{ . }}
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
  valueFrom: {secretKeyRef: {name: {{ $from.name }}, key: {{ $from.key }}}}
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
  containers:
    - name: {{ .role }}
      args: [{{ .role }}]
      {{- include "dozaar.container" .root | nindent 6 }}
      env:
        - {name: DOZAAR_ADMIN_LISTEN, value: "0.0.0.0:3001"}
        - {name: DOZAAR_LOG_FORMAT, value: json}
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
