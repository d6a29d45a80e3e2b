package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// realEngines is the least that the roles need.
var realEngines = []string{
	"DOZAAR_KAFKA_BROKERS=k:9092", "DOZAAR_SCHEMA_REGISTRY_URL=http://r:8081", "DOZAAR_CASSANDRA_HOSTS=c", "DOZAAR_REDIS_ADDRS=r:6379",
}

func TestEachRoleHasOnlyItsOwnSettings(t *testing.T) {
	for role, flags := range map[string]struct{ has, lacks []string }{
		roleGateway:  {[]string{"--listen", "--jwt-secret", "--dev", "--kafka-brokers", "--redis-master", "--typing-ttl"}, []string{"--embedded-kafka", "--kafka-partitions", "--cassandra-replication"}},
		roleDeliver:  {[]string{"--kafka-sasl", "--cassandra-dc", "--presence-ttl", "--redis-cluster"}, []string{" --listen", "--jwt-secret", "--dev", "--data-dir", "--kafka-partitions"}},
		roleArchive:  {[]string{"--dir", "--once", "--kafka-brokers", "--schema-registry-url", "--admin-listen"}, []string{"--cassandra-hosts", "--redis-addrs", "--data-dir"}},
		rolePresence: {[]string{"--presence-ttl", "--presence-audience", "--kafka-brokers", "--cassandra-hosts", "--redis-addrs"}, []string{"--notify-delay", " --listen", "--data-dir"}},
		roleNotify:   {[]string{"--notify-delay", "--notify-webhook-url", "--kafka-brokers", "--presence-ttl"}, []string{"--presence-audience", " --listen", "--data-dir"}},
		"migrate":    {[]string{"--cassandra-replication", "--cassandra-password"}, []string{"--kafka-brokers", "--admin-listen"}},
		"topics":     {[]string{"--kafka-partitions", "--cassandra-hosts"}, []string{"--redis-addrs", "--admin-listen"}},
	} {
		help := dozaar(t, nil, role, "--help")
		for _, flag := range flags.has {
			if !strings.Contains(help.stdout, flag) {
				t.Errorf("%s has no %s", role, flag)
			}
		}
		for _, flag := range flags.lacks {
			if strings.Contains(help.stdout, flag) {
				t.Errorf("%s has %s", role, flag)
			}
		}
	}
}

func TestConfigCheckOfARole(t *testing.T) {
	certificate, key := pair(t)
	without := func(name string) []string {
		return slices.DeleteFunc(slices.Clone(realEngines), func(pair string) bool { return strings.HasPrefix(pair, name) })
	}
	with := func(more ...string) []string { return append(slices.Clone(realEngines), more...) }
	for _, tt := range []struct {
		name, role string
		env        []string
		says       string // one for each line, in any order, separated by |; "": it is valid
	}{
		{"deliver", roleDeliver, realEngines, ""},
		{"archive", roleArchive, realEngines[:2], ""},
		{"archive on nothing", roleArchive, nil, "DOZAAR_KAFKA_BROKERS (--kafka-brokers): is not set; the role archive|DOZAAR_SCHEMA_REGISTRY_URL"},
		{"presence", rolePresence, realEngines, ""},
		{"an audience that is none", rolePresence, with("DOZAAR_PRESENCE_AUDIENCE=friends"), "DOZAAR_PRESENCE_AUDIENCE (--presence-audience): must be everyone, members or nobody"},
		{"notify", roleNotify, realEngines, ""},
		{"webhook", roleNotify, with("DOZAAR_NOTIFY_WEBHOOK_URL=https://shop.example/hook", "DOZAAR_NOTIFY_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ""},
		{"webhook without a secret", roleNotify, with("DOZAAR_NOTIFY_WEBHOOK_URL=https://shop.example/hook"), "DOZAAR_NOTIFY_WEBHOOK_SECRET (--notify-webhook-secret): must have at least 24 bytes, has 0"},
		{"a secret without webhook", roleNotify, with("DOZAAR_NOTIFY_WEBHOOK_SECRET=" + strings.Repeat("s", 24)), "DOZAAR_NOTIFY_WEBHOOK_SECRET (--notify-webhook-secret): is set, but DOZAAR_NOTIFY_WEBHOOK_URL is not"},
		{"a collector that is no URL", roleDeliver, with("DOZAAR_TRACE_URL=collector:4318", "DOZAAR_TRACE_RATIO=5"), "DOZAAR_TRACE_URL (--trace-url): must be|DOZAAR_TRACE_RATIO (--trace-ratio): must be"},
		{"nothing left to drain in", roleGateway, with("DOZAAR_JWT_SECRET="+strings.Repeat("s", 32), "DOZAAR_DRAIN_DELAY=25s", "DOZAAR_DRAIN_OVER=-1s"), "DOZAAR_DRAIN_DELAY (--drain-delay): must be shorter|DOZAAR_DRAIN_OVER"},
		{"a webhook that is no URL", roleNotify, with("DOZAAR_NOTIFY_WEBHOOK_URL=shop", "DOZAAR_NOTIFY_WEBHOOK_SECRET="+strings.Repeat("s", 24), "DOZAAR_NOTIFY_DELAY=1ms"), "DOZAAR_NOTIFY_WEBHOOK_URL (--notify-webhook-url): must be|DOZAAR_NOTIFY_DELAY"},
		{"gateway without a key", roleGateway, realEngines, "DOZAAR_JWT_SECRET"},
		{"gateway", roleGateway, with("DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32)), ""},
		{"gateway on nothing", roleGateway, []string{"DOZAAR_DEV=true"}, "DOZAAR_KAFKA_BROKERS (--kafka-brokers): is not set; the role gateway has no embedded engines|DOZAAR_SCHEMA_REGISTRY_URL|DOZAAR_CASSANDRA_HOSTS|DOZAAR_REDIS_ADDRS"},
		{"presence on nothing", rolePresence, nil, "DOZAAR_CASSANDRA_HOSTS (--cassandra-hosts): is not set; the role presence|DOZAAR_REDIS_ADDRS|DOZAAR_KAFKA_BROKERS|DOZAAR_SCHEMA_REGISTRY_URL"},
		{"deliver without brokers", roleDeliver, without("DOZAAR_KAFKA"), "DOZAAR_KAFKA_BROKERS"},
		{"deliver does not mind the gateway's faults", roleDeliver, with("DOZAAR_LISTEN=nowhere"), ""},
		{"embedded with a password", roleAll, []string{"DOZAAR_DEV=true", "DOZAAR_REDIS_PASSWORD=p"}, "DOZAAR_REDIS_PASSWORD (--redis-password): is set, but DOZAAR_REDIS_ADDRS is not"},

		{"key pair", roleDeliver, with("DOZAAR_KAFKA_TLS=true", "DOZAAR_KAFKA_CERT_FILE="+certificate, "DOZAAR_KAFKA_KEY_FILE="+key, "DOZAAR_KAFKA_CA_FILE="+certificate), ""},
		{"certificate without its key", roleDeliver, with("DOZAAR_KAFKA_TLS=true", "DOZAAR_KAFKA_CERT_FILE="+certificate), "DOZAAR_KAFKA_CERT_FILE (--kafka-cert-file): is set, but DOZAAR_KAFKA_KEY_FILE is not"},
		{"key without its certificate", roleDeliver, with("DOZAAR_KAFKA_TLS=true", "DOZAAR_KAFKA_KEY_FILE="+key), "DOZAAR_KAFKA_KEY_FILE"},
		{"a key as certificate", roleDeliver, with("DOZAAR_CASSANDRA_TLS=true", "DOZAAR_CASSANDRA_CA_FILE="+key), "DOZAAR_CASSANDRA_CA_FILE"},
		{"missing certificate", roleDeliver, with("DOZAAR_REDIS_TLS=true", "DOZAAR_REDIS_CA_FILE=/not/there"), "DOZAAR_REDIS_CA_FILE"},
		{"certificates without TLS", roleDeliver, with("DOZAAR_KAFKA_CA_FILE=" + certificate), "DOZAAR_KAFKA_CA_FILE (--kafka-ca-file): is set, but DOZAAR_KAFKA_TLS is not"},
		{"SASL", roleDeliver, with("DOZAAR_KAFKA_SASL=SCRAM-SHA-512", "DOZAAR_KAFKA_USERNAME=u", "DOZAAR_KAFKA_PASSWORD=p"), ""},
		{"SASL without a user", roleDeliver, with("DOZAAR_KAFKA_SASL=PLAIN"), "DOZAAR_KAFKA_USERNAME|DOZAAR_KAFKA_PASSWORD"},
		{"unknown SASL", roleDeliver, with("DOZAAR_KAFKA_SASL=GSSAPI", "DOZAAR_KAFKA_USERNAME=u", "DOZAAR_KAFKA_PASSWORD=p"), "DOZAAR_KAFKA_SASL"},
		{"user without SASL", roleDeliver, with("DOZAAR_KAFKA_USERNAME=u"), "DOZAAR_KAFKA_USERNAME"},
		{"keyspace", roleDeliver, with("DOZAAR_CASSANDRA_KEYSPACE=No-Name"), "DOZAAR_CASSANDRA_KEYSPACE"},
		{"Cassandra's user without a password", roleDeliver, with("DOZAAR_CASSANDRA_USERNAME=u"), "DOZAAR_CASSANDRA_PASSWORD"},
		{"Cassandra's password without a user", roleDeliver, with("DOZAAR_CASSANDRA_PASSWORD=p"), "DOZAAR_CASSANDRA_USERNAME"},
		{"Sentinel", roleDeliver, with("DOZAAR_REDIS_ADDRS=a:1,b:2", "DOZAAR_REDIS_MASTER=m", "DOZAAR_REDIS_SENTINEL_PASSWORD=p", "DOZAAR_REDIS_DB=3"), ""},
		{"cluster", roleDeliver, with("DOZAAR_REDIS_ADDRS=a:1,b:2", "DOZAAR_REDIS_CLUSTER=true"), ""},
		{"cluster and Sentinel", roleDeliver, with("DOZAAR_REDIS_CLUSTER=true", "DOZAAR_REDIS_MASTER=m"), "DOZAAR_REDIS_CLUSTER (--redis-cluster): is set and DOZAAR_REDIS_MASTER too"},
		{"several of nobody knows what", roleDeliver, with("DOZAAR_REDIS_ADDRS=a:1,b:2"), "DOZAAR_REDIS_ADDRS"},
		{"a cluster's database", roleDeliver, with("DOZAAR_REDIS_CLUSTER=true", "DOZAAR_REDIS_DB=1"), "DOZAAR_REDIS_DB"},
		{"a user without a password", roleDeliver, with("DOZAAR_REDIS_USERNAME=u"), "DOZAAR_REDIS_PASSWORD"},
		{"the Sentinels' password without Sentinels", roleDeliver, with("DOZAAR_REDIS_SENTINEL_PASSWORD=p"), "DOZAAR_REDIS_SENTINEL_PASSWORD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dozaar(t, tt.env, "config", "check", "--role", tt.role)
			if tt.says == "" {
				if got.code != exitOK {
					t.Errorf("exit code %d: %s", got.code, got.stderr)
				}
				return
			}
			wanted := strings.Split(tt.says, "|")
			for _, want := range wanted {
				if !strings.Contains(got.stderr, "dozaar: "+want) {
					t.Errorf("%q is not said", want)
				}
			}
			if n := strings.Count(got.stderr, "\n"); got.code != exitFailed || n != len(wanted) {
				t.Errorf("exit code %d, %d lines instead of %d:\n%s", got.code, n, len(wanted), got.stderr)
			}
		})
	}
}

// A role says the first fault, and how to see the others. A command that makes something says all.
func TestFaultsOfTheConfigurationAreTold(t *testing.T) {
	got := dozaar(t, nil, roleDeliver)
	if got.code != exitFailed || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "and 3 more: see `dozaar config check --role deliver`") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	got = dozaar(t, nil, "topics", "apply")
	if got.code != exitFailed || !strings.Contains(got.stderr, "DOZAAR_KAFKA_BROKERS") || !strings.Contains(got.stderr, "DOZAAR_CASSANDRA_HOSTS") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	// No key for tokens, and no engine that could be dialled: it ends before it tries.
	if got := dozaar(t, realEngines, roleGateway); got.code != exitFailed || !strings.Contains(got.stderr, "DOZAAR_JWT_SECRET") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// pair writes a certificate and its key.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "certificate.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes})))
}
