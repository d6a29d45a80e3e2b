package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL says who we are.
type SASL struct {
	Mechanism          string // one of SASLMechanisms; "": nobody asks
	Username, Password string
}

// SASLMechanisms are those that there are.
func SASLMechanisms() []string { return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} }

func (s SASL) options() ([]kgo.Opt, error) {
	auth := scram.Auth{User: s.Username, Pass: s.Password}
	switch s.Mechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return []kgo.Opt{kgo.SASL(plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism())}, nil
	case "SCRAM-SHA-256":
		return []kgo.Opt{kgo.SASL(auth.AsSha256Mechanism())}, nil
	case "SCRAM-SHA-512":
		return []kgo.Opt{kgo.SASL(auth.AsSha512Mechanism())}, nil
	}
	return nil, fmt.Errorf("kafka: there is no SASL mechanism %q, only %s", s.Mechanism, strings.Join(SASLMechanisms(), ", "))
}

// explained says what a broker means that is asked to hear who we are where it asks nobody: its own words do not.
func (s SASL) explained(err error) error {
	if !errors.Is(err, kerr.IllegalSaslState) {
		return err
	}
	return fmt.Errorf("this address asks nobody who they are; name another one, or leave DOZAAR_KAFKA_SASL out: %w", err)
}

// Refused tells a cluster that is there and does not let us in from one that is away.
func Refused(err error) bool {
	return slices.ContainsFunc([]error{
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
		kerr.ClusterAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
}
