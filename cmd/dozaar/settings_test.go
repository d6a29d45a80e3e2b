package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// effective is what `dozaar config` prints, as a map.
func effective(t *testing.T, env []string, args ...string) map[string]any {
	t.Helper()
	got := dozaar(t, env, append([]string{"config"}, args...)...)
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(got.stdout), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	file := write(t, "dozaar.yaml", "listen: file:1\nallowed-origins: [https://a.example, https://b.example]\n"+
		"presence:\n  ttl: 3m\n  grace: 1s\nsockets-per-user: 7\nmax-frame: 4096\ndev: true\nlog-level:\n")
	env := []string{"DOZAAR_LISTEN=env:2", "DOZAAR_PRESENCE_TTL=4m", "DOZAAR_SOCKETS_PER_USER=", "DOZAAR_CONFIG=" + file}
	for _, tt := range []struct {
		name    string
		env     []string
		args    []string
		setting string
		want    any
	}{
		{"default", nil, nil, "listen", "127.0.0.1:3000"},
		{"file over default", nil, []string{"--config", file}, "listen", "file:1"},
		{"environment over default", []string{"DOZAAR_LISTEN=env:2"}, nil, "listen", "env:2"},
		{"environment over file", env, nil, "listen", "env:2"},
		{"flag over environment and file", env, []string{"--listen", "flag:3"}, "listen", "flag:3"},
		{"flag over file", nil, []string{"--config", file, "--listen", "flag:3"}, "listen", "flag:3"},
		{"an empty variable is none", env, nil, "sockets-per-user", 7},
		{"nested key", env, nil, "presence-grace", "1s"},
		{"environment over nested key", env, nil, "presence-ttl", "4m0s"},
		{"list in a file", env, nil, "allowed-origins", []any{"https://a.example", "https://b.example"}},
		{"list in the environment", []string{"DOZAAR_KAFKA_BROKERS=a:1,b:2"}, nil, "kafka-brokers", []any{"a:1", "b:2"}},
		{"a list is replaced, not added to", append(env, "DOZAAR_ALLOWED_ORIGINS=https://c.example"), nil, "allowed-origins", []any{"https://c.example"}},
		{"number in a file", env, nil, "max-frame", "4KiB"},
		{"switch in a file", env, nil, "dev", true},
		{"switch off by flag", env, []string{"--dev=false"}, "dev", false},
		{"switch in the environment", []string{"DOZAAR_DEV=true"}, nil, "dev", true},
		{"an empty key is none", env, nil, "log-level", "info"},
		{"--config over DOZAAR_CONFIG", []string{"DOZAAR_CONFIG=/not/there"}, []string{"--config", file}, "listen", "file:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := effective(t, tt.env, tt.args...)[tt.setting]; !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("%s = %#v, want %#v", tt.setting, got, tt.want)
			}
		})
	}
}

// TestKongAloneWouldPreferTheFile shows why settings exists. If this fails, kong has changed its mind.
func TestKongAloneWouldPreferTheFile(t *testing.T) {
	t.Setenv("DOZAAR_TEST_ORDER", "environment")
	var grammar struct {
		Order string `env:"DOZAAR_TEST_ORDER"`
	}
	file := kong.ResolverFunc(func(*kong.Context, *kong.Path, *kong.Flag) (any, error) { return "file", nil })
	parser, err := kong.New(&grammar, kong.NoDefaultHelp(), kong.Resolvers(file), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil || grammar.Order != "file" {
		t.Fatalf("got %q, %v", grammar.Order, err)
	}
}

func TestEveryFixedNameIsASetting(t *testing.T) {
	values := map[string]string{
		"DOZAAR_LISTEN": "0.0.0.0:1", "DOZAAR_ADMIN_LISTEN": "0.0.0.0:2", "DOZAAR_DATA_DIR": "/d",
		"DOZAAR_JWT_SECRET": strings.Repeat("s", 40), "DOZAAR_JWT_KEY_FILE": "/k", "DOZAAR_JWT_JWKS_URL": "https://u/",
		"DOZAAR_JWT_ALGORITHMS": "ES256", "DOZAAR_JWT_AUDIENCE": "a", "DOZAAR_JWT_ISSUER": "i",
		"DOZAAR_KAFKA_BROKERS": "k:1", "DOZAAR_SCHEMA_REGISTRY_URL": "http://s:1", "DOZAAR_CASSANDRA_HOSTS": "c",
		"DOZAAR_REDIS_ADDRS": "r:1", "DOZAAR_EMBEDDED_KAFKA": ":5", "DOZAAR_EMBEDDED_REGISTRY": ":6",
		"DOZAAR_ALLOWED_ORIGINS": "https://o", "DOZAAR_LOG_LEVEL": "debug", "DOZAAR_LOG_FORMAT": "json",
		"DOZAAR_PRESENCE_TTL": "7s", "DOZAAR_PRESENCE_GRACE": "2s", "DOZAAR_TYPING_TTL": "3s",
		"DOZAAR_SOCKET_BUFFER": "2MiB", "DOZAAR_MAX_FRAME": "1MiB", "DOZAAR_SHUTDOWN_TIMEOUT": "9s",
		"DOZAAR_SOCKETS_PER_USER": "3", "DOZAAR_KAFKA_PARTITIONS": "4", "DOZAAR_RATE_MESSAGES": "1/s:2",
		"DOZAAR_RATE_HANDSHAKES": "3/s:4", "DOZAAR_RATE_UNKNOWN": "3/s:4", "DOZAAR_RATE_REFUSALS": "3/s:4", "DOZAAR_CONNECT_TIMEOUT": "5s",
		"DOZAAR_KAFKA_TLS": "true", "DOZAAR_KAFKA_CA_FILE": "/c", "DOZAAR_KAFKA_CERT_FILE": "/c", "DOZAAR_KAFKA_KEY_FILE": "/c",
		"DOZAAR_KAFKA_SASL": "PLAIN", "DOZAAR_KAFKA_USERNAME": "u", "DOZAAR_KAFKA_PASSWORD": "p",
		"DOZAAR_CASSANDRA_KEYSPACE": "k", "DOZAAR_CASSANDRA_DC": "d", "DOZAAR_CASSANDRA_REPLICATION": "2", "DOZAAR_CASSANDRA_USERNAME": "u",
		"DOZAAR_CASSANDRA_PASSWORD": "p", "DOZAAR_CASSANDRA_TLS": "true", "DOZAAR_CASSANDRA_CA_FILE": "/c",
		"DOZAAR_REDIS_MASTER": "m", "DOZAAR_REDIS_CLUSTER": "true", "DOZAAR_REDIS_DB": "2", "DOZAAR_REDIS_USERNAME": "u", "DOZAAR_REDIS_PASSWORD": "p",
		"DOZAAR_REDIS_SENTINEL_PASSWORD": "p", "DOZAAR_REDIS_TLS": "true", "DOZAAR_REDIS_CA_FILE": "/c",
		"DOZAAR_CONNECTIONS_PER_ADDRESS": "9", "DOZAAR_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.7",
	}
	defaults := effective(t, nil)
	for name, value := range values {
		setting := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "DOZAAR_"), "_", "-"))
		got, ok := effective(t, []string{name + "=" + value})[setting]
		if !ok || reflect.DeepEqual(got, defaults[setting]) {
			t.Errorf("%s=%s changes nothing: %s is %v", name, value, setting, got)
		}
	}
}

func TestPrintedConfigurationIsAFileThatMeansTheSame(t *testing.T) {
	args := []string{"config", "--max-frame=300000", "--rate-messages=2.5/s:7", "--presence-ttl=90s", "--redis-addrs=a:1,b:2", "--dev", "--jwt-issuer=a: b"}
	first := dozaar(t, nil, args...)
	second := dozaar(t, nil, "config", "--config", write(t, "printed.yaml", first.stdout))
	if first.code != exitOK || first.stdout != second.stdout {
		t.Fatalf("printed:\n%s\nread back and printed:\n%s%s", first.stdout, second.stdout, second.stderr)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	secret := strings.Repeat("hush", 10)
	env := []string{ //nolint:prealloc // it is the test's table
		"DOZAAR_JWT_SECRET=" + secret, "DOZAAR_SCHEMA_REGISTRY_URL=https://me:hushhush@registry/",
		"DOZAAR_JWT_JWKS_URL=https://keys/?key=hushhush", "DOZAAR_KAFKA_PASSWORD=hushhush", "DOZAAR_CASSANDRA_PASSWORD=hushhush",
		"DOZAAR_REDIS_PASSWORD=hushhush", "DOZAAR_REDIS_SENTINEL_PASSWORD=hushhush",
	}
	// `all` is stopped by a port that is none: a test must not start it.
	for _, args := range [][]string{{"config"}, {"config", "check"}, {"all", "--listen", "nowhere"}} {
		if got := dozaar(t, env, args...); strings.Contains(got.stdout+got.stderr, "hushhush") {
			t.Errorf("dozaar %v:\n%s%s", args, got.stdout, got.stderr)
		}
	}
	// A password where none belongs is not repeated when it is refused.
	if got := dozaar(t, append(env, "DOZAAR_REDIS_ADDRS=me:hushhush@redis"), "config", "check"); got.code != exitFailed || strings.Contains(got.stderr, "hushhush") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if got := effective(t, env)["jwt-secret"]; got != "(set)" {
		t.Errorf("jwt-secret: %v", got)
	}
}

// A variable that a command does not use may be anything.
func TestUnusedVariablesAreIgnored(t *testing.T) {
	env := []string{"DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32), "DOZAAR_MAX_FRAME=x", "DOZAAR_KAFKA_PARTITIONS=y", "DOZAAR_PORT=tcp://10.0.0.1:1"}
	if got := dozaar(t, env, "token", "--user", someUser, "--username", "x"); got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
}

func TestConfigCheckNamesEverythingAtOnce(t *testing.T) {
	file := write(t, "dozaar.yaml", "listn: x\nnested:\n  thing: 1\nrate-reads: many\nrate-joins: {per: second}\n")
	env := []string{
		"DOZAAR_LISTEN=nowhere", "DOZAAR_ADMIN_LISTEN=:99999", "DOZAAR_LOG_LEVEL=loud", "DOZAAR_LOG_FORMAT=xml",
		"DOZAAR_SHUTDOWN_TIMEOUT=0s", "DOZAAR_ALLOWED_ORIGINS=https://ok.example,null,https://x/path",
		"DOZAAR_JWT_SECRET=short", "DOZAAR_JWT_ALGORITHMS=none", "DOZAAR_JWT_JWKS_URL=ftp://x", "DOZAAR_JWT_KEY_FILE=/not/there",
		"DOZAAR_JWT_LEEWAY=1h", "DOZAAR_JWT_KEYS_MAX_AGE=1s",
		"DOZAAR_MAX_FRAME=1GiB", "DOZAAR_SOCKET_BUFFER=1KiB", "DOZAAR_SOCKETS_PER_USER=0", "DOZAAR_RATE_MESSAGES=30",
		"DOZAAR_CONNECT_TIMEOUT=0s", "DOZAAR_CONNECTIONS_PER_ADDRESS=-1", "DOZAAR_RATE_HANDSHAKES=0/s:1", "DOZAAR_TRUSTED_PROXIES=proxy.example",
		"DOZAAR_PRESENCE_TTL=soon", "DOZAAR_PRESENCE_GRACE=10m", "DOZAAR_TYPING_TTL=-1s",
		"DOZAAR_KAFKA_BROKERS=kafka", "DOZAAR_KAFKA_PARTITIONS=-1", "DOZAAR_SCHEMA_REGISTRY_URL=http://registry:99999",
		"DOZAAR_CASSANDRA_HOSTS=a b", "DOZAAR_REDIS_ADDRS=redis:0", "DOZAAR_EMBEDDED_KAFKA=9092", "DOZAAR_EMBEDDED_REGISTRY=x",
		"DOZAAR_DEV=perhaps",
	}
	got := dozaar(t, env, "config", "check", "--config", file)
	if got.code != exitFailed || got.stdout != "" {
		t.Errorf("exit code %d, stdout %q", got.code, got.stdout)
	}
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		count := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "dozaar: "+name+" (--") {
				count++
			}
		}
		if count == 0 {
			t.Errorf("%s is not named", pair)
		}
	}
	for _, want := range []string{`"listn"`, `"nested-thing"`, "DOZAAR_RATE_READS", "DOZAAR_RATE_JOINS", `"null"`, `"https://x/path"`, "30/s:100"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%s is not named", want)
		}
	}
	if strings.Contains(got.stderr, "ok.example") {
		t.Error("a good origin is called wrong")
	}
	if t.Failed() {
		t.Log("\n" + got.stderr)
	}
	// A role says the first one, in one line, and where to see all.
	if got := dozaar(t, env, "all", "--config", file); got.code != exitFailed || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "config check") {
		t.Errorf("all: exit code %d: %s", got.code, got.stderr)
	}
}

func TestConfigCheck(t *testing.T) {
	good := "DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32)
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		says string
		code int
	}{
		{"a key is enough", []string{good}, nil, "valid", exitOK},
		{"--dev is enough", nil, []string{"--dev"}, "valid", exitOK},
		{"no key", nil, nil, "DOZAAR_JWT_SECRET", exitFailed},
		{"missing file", []string{good, "DOZAAR_CONFIG=/not/there.yaml"}, nil, "/not/there.yaml", exitFailed},
		{"broken file", []string{good}, []string{"--config", write(t, "broken.yaml", "a: [\n")}, "YAML", exitFailed},
		{"list as file", []string{good}, []string{"--config", write(t, "list.yaml", "- a\n")}, "YAML", exitFailed},
		{"empty file", []string{good}, []string{"--config", write(t, "empty.yaml", "")}, "valid", exitOK},
		{"one port twice", []string{good, "DOZAAR_LISTEN=:1", "DOZAAR_ADMIN_LISTEN=:1"}, nil, "DOZAAR_ADMIN_LISTEN", exitFailed},
		{"free ports twice", []string{good, "DOZAAR_LISTEN=:0", "DOZAAR_ADMIN_LISTEN=:0"}, nil, "valid", exitOK},
		{"grace as long as the TTL", []string{good, "DOZAAR_PRESENCE_TTL=10s"}, nil, "DOZAAR_PRESENCE_GRACE", exitFailed},
		{"secret without its algorithm", []string{good, "DOZAAR_JWT_ALGORITHMS=HS256,RS256"}, nil, "RS256", exitFailed},
		{"public key as secret", []string{"DOZAAR_JWT_SECRET=-----BEGIN PUBLIC KEY-----" + strings.Repeat("x", 40)}, nil, "PEM", exitFailed},
		{"every origin", []string{good, "DOZAAR_ALLOWED_ORIGINS=*"}, nil, "valid", exitOK},
		{"an app's origin", []string{good, "DOZAAR_ALLOWED_ORIGINS=capacitor://localhost"}, nil, "valid", exitOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dozaar(t, tt.env, append([]string{"config", "check"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
				t.Fatalf("exit code %d, want %d; want %q in:\n%s%s", got.code, tt.code, tt.says, got.stdout, got.stderr)
			}
		})
	}
}

func TestCheckGateway(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		ok   bool
	}{
		{"nothing", Config{}, false},
		{"dev", Config{Dev: true}, true},
		{"secret", Config{Tokens: TokenConfig{SigningConfig: SigningConfig{JWTSecret: NewSecret("x")}}}, true},
		{"file", Config{Tokens: TokenConfig{JWTKeyFile: "x"}}, true},
		{"url", Config{Tokens: TokenConfig{JWTJWKSURL: "x"}}, true},
	} {
		err := tt.cfg.CheckGateway()
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "DOZAAR_JWT_SECRET")) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := tt.cfg.Auth(); !tt.ok && err == nil {
			t.Errorf("%s: a verifier's configuration without a key", tt.name)
		}
	}
}

func TestAuthUsesTheGivenSecretBeforeTheDevelopersOwn(t *testing.T) {
	given := strings.Repeat("g", 32)
	cfg := Config{Dev: true, Data: DataConfig{DataDir: t.TempDir()}}
	cfg.Tokens.JWTSecret = NewSecret(given)
	if got, err := cfg.Auth(); err != nil || string(got.Secret) != given {
		t.Fatalf("%q, %v", got.Secret, err)
	}
	cfg.Tokens.JWTSecret = Secret{}
	made, err := cfg.Auth()
	if err != nil || len(made.Secret) < 32 || string(made.Secret) == given {
		t.Fatalf("%q, %v", made.Secret, err)
	}
}

func TestSecretHidesFromEverything(t *testing.T) {
	secret := NewSecret("hush")
	holder := struct {
		Open   Secret
		hidden Secret
		At     time.Time
	}{secret, secret, time.Time{}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb+verb+verb, secret, holder, &holder); strings.Contains(got, "hush") || strings.Contains(got, "68757368") {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if got, _ := yaml.Marshal(holder); strings.Contains(string(got), "hush") {
		t.Errorf("yaml: %s", got)
	}
	if string(secret.Reveal()) != "hush" || NewSecret("").IsSet() || Secret.Reveal(Secret{}) != nil {
		t.Error("Reveal")
	}
}

// The command of `all` must hand over what it was told.
func TestAllStopsBeforeStartingOnAWrongConfiguration(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr strings.Builder
	env := environment{"DOZAAR_KAFKA_PARTITIONS": "-1"}
	if code := run(ctx, []string{"all", "--dev", "--data-dir", t.TempDir()}, env, io.Discard, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "DOZAAR_KAFKA_PARTITIONS") {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
}
