package auth

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	maxKeySetBytes = 512 << 10
	fetchTimeout   = 5 * time.Second
)

// loadFile reads public keys as PEM or as JWKS JSON.
func loadFile(path string) func(context.Context) ([]candidate, error) {
	return func(context.Context) ([]candidate, error) {
		file, err := os.Open(path) //nolint:gosec // the operator names the file, never a token
		if err != nil {
			return nil, withoutName(err)
		}
		defer file.Close()
		data, err := readBounded(file)
		if err != nil {
			return nil, withoutName(err)
		}
		return parseKeys(data)
	}
}

// loadURL fetches a JWKS. It follows no redirect: the configured place is the only one trusted.
func loadURL(client *http.Client, address string) func(context.Context) ([]candidate, error) {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableKeepAlives = true // one request in minutes; nothing is left open between
		client = &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return func(ctx context.Context) ([]candidate, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, withoutURL(err)
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, withoutURL(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answered %s", resp.Status)
		}
		data, err := readBounded(resp.Body)
		if err != nil {
			return nil, err
		}
		return parseJWKS(data)
	}
}

// withoutName takes the path out of an error of package os: who reports it names the file.
func withoutName(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// withoutURL takes the address out of an error of net/http: it may contain a password.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// redact is a URL as it may be shown.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable)"
	}
	u.RawQuery = ""
	return u.Redacted()
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeySetBytes+1))
	if err == nil && len(data) > maxKeySetBytes {
		err = fmt.Errorf("is larger than %d bytes", maxKeySetBytes)
	}
	return data, err
}

func parseKeys(data []byte) ([]candidate, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJWKS(data)
	}
	return parsePEM(data)
}

// parsePEM takes public keys and certificates. A private key is refused: it has no business on a machine
// that only verifies.
func parsePEM(data []byte) ([]candidate, error) {
	var candidates []candidate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch {
		case strings.Contains(block.Type, "PRIVATE"):
			return nil, errors.New("contains a private key; give only the public one (`openssl pkey -pubout`)")
		case block.Type == "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case block.Type == "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case block.Type == "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		default:
			err = fmt.Errorf("a PEM block %q is no public key", block.Type)
		}
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, candidate{key: key})
	}
	if len(candidates) == 0 {
		return nil, errors.New("is neither a PEM public key nor a JWKS")
	}
	return candidates, nil
}

// parseJWKS takes a JWK Set (RFC 7517, 5). Symmetric and private keys are left out, certificates and
// their URLs are not looked at.
func parseJWKS(data []byte) ([]candidate, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
		return nil, errors.New("is not a JWKS: a JSON object with an array `keys` is expected")
	}
	candidates := make([]candidate, len(set.Keys))
	for i, raw := range set.Keys {
		candidates[i] = parseJWK(raw)
	}
	return candidates, nil
}

func parseJWK(raw json.RawMessage) candidate {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &m); err != nil {
		return candidate{comment: "not a JSON Web Key"}
	}
	if m.KTY == jwkset.KtyOct || m.K != "" {
		return candidate{comment: "a symmetric key, which nobody should publish"}
	}
	if m.D != "" || m.P != "" {
		return candidate{comment: "a private key, which nobody should publish; it is compromised"}
	}
	public := jwkset.JWKMarshal{KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E}
	jwk, err := jwkset.NewJWKFromMarshal(public, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipAll: true})
	if err != nil {
		return candidate{comment: "unusable: " + err.Error()}
	}
	c := candidate{key: jwk.Key(), id: m.KID, alg: m.ALG.String(), use: m.USE.String()}
	for _, op := range m.KEYOPS {
		c.keyOps = append(c.keyOps, op.String())
	}
	return c
}
