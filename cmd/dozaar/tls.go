package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsSettings are an engine's, with the flags they came from.
type tlsSettings struct {
	flag                      string // kafka, cassandra or redis
	on                        bool
	caFile, certFile, keyFile string
}

// config is nil where TLS is off. Each client checks the name of the host it dials against its certificate: that
// cannot be switched off.
func (s tlsSettings) config() (*tls.Config, error) {
	if !s.on {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.caFile != "" {
		pool, err := certificates(s.caFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variable(s.flag+"-ca-file"), err)
		}
		cfg.RootCAs = pool
	}
	if s.certFile != "" {
		pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", variable(s.flag+"-cert-file"), variable(s.flag+"-key-file"), err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func certificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return pool, nil
}

// check names what contradicts itself, and files that cannot be used.
func (s tlsSettings) check(p *problems) {
	for suffix, file := range map[string]string{"-ca-file": s.caFile, "-cert-file": s.certFile, "-key-file": s.keyFile} {
		if file != "" && !s.on {
			p.add(s.flag+suffix, "is set, but %s is not", variable(s.flag+"-tls"))
		}
	}
	if s.caFile != "" {
		if _, err := certificates(s.caFile); err != nil {
			p.add(s.flag+"-ca-file", "%v", err)
		}
	}
	switch {
	case s.certFile == "" && s.keyFile == "":
	case s.keyFile == "":
		p.add(s.flag+"-cert-file", "is set, but %s is not", variable(s.flag+"-key-file"))
	case s.certFile == "":
		p.add(s.flag+"-key-file", "is set, but %s is not", variable(s.flag+"-cert-file"))
	default:
		if _, err := tls.LoadX509KeyPair(s.certFile, s.keyFile); err != nil {
			p.add(s.flag+"-cert-file", "%v", err)
		}
	}
}

func (c KafkaConfig) tls() tlsSettings {
	return tlsSettings{"kafka", c.KafkaTLS, c.KafkaCAFile, c.KafkaCertFile, c.KafkaKeyFile}
}

func (c CassandraConfig) tls() tlsSettings {
	return tlsSettings{flag: "cassandra", on: c.CassandraTLS, caFile: c.CassandraCAFile}
}

func (c RedisConfig) tls() tlsSettings {
	return tlsSettings{flag: "redis", on: c.RedisTLS, caFile: c.RedisCAFile}
}
