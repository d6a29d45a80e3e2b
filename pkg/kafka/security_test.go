package kafka_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that asks who we are and what nobody else may hear. (kfake hangs up on a wrong password, where Kafka
// answers: that is TestRefused's.)
func TestTLSAndSASL(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate, which is good for 127.0.0.1
	defer server.Close()
	for _, mechanism := range kafka.SASLMechanisms() {
		t.Run(mechanism, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}),
				kfake.EnableSASL(), kfake.Superuser(mechanism, "chat", "secret"))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			trusting := server.Client().Transport.(*http.Transport).TLSClientConfig
			good := kafka.Config{Brokers: cluster.ListenAddrs(), TLS: trusting, SASL: kafka.SASL{Mechanism: mechanism, Username: "chat", Password: "secret"}}
			ping := func(cfg kafka.Config) error {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				return kafka.Ping(ctx, cfg)
			}
			if err := ping(good); err != nil {
				t.Fatal(err)
			}
			wrong := good
			wrong.SASL.Password = "guess"
			if err := ping(wrong); err == nil {
				t.Error("another password is good, too")
			}
			stranger := good
			stranger.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			if _, untrusted := errors.AsType[*tls.CertificateVerificationError](ping(stranger)); !untrusted {
				t.Errorf("a certificate that nobody trusts: %v", ping(stranger))
			}
		})
	}
}

// A broker that asks nobody who they are refuses to be told, and the setting is named.
func TestSASLWhereNobodyAsks(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.ErrorCode = kerr.IllegalSaslState.Code // as Kafka says it; kfake would go on
		return answer, nil, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = kafka.Ping(ctx, kafka.Config{Brokers: cluster.ListenAddrs(), SASL: kafka.SASL{Mechanism: "PLAIN", Username: "chat", Password: "secret"}})
	if !kafka.Refused(err) || !strings.Contains(err.Error(), "DOZAAR_KAFKA_SASL") {
		t.Errorf("refused: %t: %v", kafka.Refused(err), err)
	}
}

func TestRefused(t *testing.T) {
	for err, refused := range map[error]bool{
		kerr.SaslAuthenticationFailed: true, kerr.TopicAuthorizationFailed: true, kerr.LeaderNotAvailable: false, context.DeadlineExceeded: false,
	} {
		if got := kafka.Refused(fmt.Errorf("asked: %w", err)); got != refused {
			t.Errorf("%v: %t", err, got)
		}
	}
}
