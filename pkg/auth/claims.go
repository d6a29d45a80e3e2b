package auth

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
)

// claims are a token's claims as we read them. Names are compared exactly: encoding/json alone would
// take `SUB` for `sub`, and an issuer who lets people add claims of their own would let them choose.
type claims struct {
	subject, username string
	issuer            string
	audience          []string
	service           bool
	expires           *time.Time
	notBefore         *time.Time
}

// UnmarshalJSON reads the claims object; the error names the claim that has the wrong type.
func (c *claims) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for name, read := range map[string]func(json.RawMessage) error{
		"sub":      into(&c.subject),
		"username": into(&c.username),
		"iss":      into(&c.issuer),
		"aud":      func(m json.RawMessage) (err error) { c.audience, err = stringOrList(m); return err },
		"exp":      func(m json.RawMessage) (err error) { c.expires, err = seconds(m); return err },
		"nbf":      func(m json.RawMessage) (err error) { c.notBefore, err = seconds(m); return err },
		"scope":    c.readScope,
	} {
		value, ok := raw[name]
		if !ok || string(value) == "null" {
			continue
		}
		if err := read(value); err != nil {
			return refuse(resultClaims, fmt.Sprintf("the claim %s is malformed", name))
		}
	}
	return nil
}

func into(target *string) func(json.RawMessage) error {
	return func(m json.RawMessage) error { return json.Unmarshal(m, target) }
}

// readScope takes RFC 8693's string of words, and the array that some issuers make of it.
func (c *claims) readScope(m json.RawMessage) error {
	words, err := stringOrList(m)
	if err != nil {
		return err
	}
	c.service = slices.ContainsFunc(words, func(s string) bool {
		return slices.Contains(strings.Fields(s), ServiceScope)
	})
	return nil
}

func stringOrList(m json.RawMessage) ([]string, error) {
	if len(m) > 0 && m[0] == '"' {
		var s string
		err := json.Unmarshal(m, &s)
		return []string{s}, err
	}
	var list []string
	err := json.Unmarshal(m, &list)
	return list, err
}

// seconds reads RFC 7519's NumericDate. What does not fit into the years 0 to 9999 is malformed.
func seconds(m json.RawMessage) (*time.Time, error) {
	var f float64
	if err := json.Unmarshal(m, &f); err != nil {
		return nil, err
	}
	if f < -62135596800 || f > 253402300799 {
		return nil, fmt.Errorf("out of range")
	}
	whole, part := math.Modf(f)
	t := time.Unix(int64(whole), int64(part*1e9)).UTC()
	return &t, nil
}

func (c *claims) user() chat.User {
	id, ok := chat.ParseID(c.subject)
	if !ok {
		id = chat.ID{}
	}
	return chat.User{ID: id, Username: c.username}
}

// Validate is called by the parser after it has checked signature and times.
func (c *claims) Validate() error {
	if err := c.user().Validate(); err != nil {
		return refuse(resultClaims, err.Error())
	}
	return nil
}

func numeric(t *time.Time) *jwt.NumericDate {
	if t == nil {
		return nil
	}
	return &jwt.NumericDate{Time: *t}
}

// The parser asks for these.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return numeric(c.expires), nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return numeric(c.notBefore), nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return c.issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return c.subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return c.audience, nil }
