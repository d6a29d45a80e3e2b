package main

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// Settings are read and printed as text.
var (
	_ textual = (*Secret)(nil)
	_ textual = (*URL)(nil)
	_ textual = (*Size)(nil)
	_ textual = (*Rate)(nil)
)

type textual interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

// Secret is a setting that cannot be printed, logged or marshalled by accident: only Reveal gives it. (It
// is behind a function, so that even printing by reflection shows an address and nothing else.)
type Secret struct{ reveal func() string }

// NewSecret hides a value. An empty one is no secret: IsSet is false.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return value }}
}

// Reveal gives the value, or nil.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return []byte(s.reveal())
}

// IsSet tells whether there is a value.
func (s Secret) IsSet() bool { return s.reveal != nil }

func (s Secret) String() string {
	if s.IsSet() {
		return "(set)"
	}
	return ""
}

// Format covers every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue covers log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText covers JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the value.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// URL is the address of a service. It prints without a password and without a query.
type URL string

func (u URL) String() string {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return "(unreadable)"
	}
	if parsed.RawQuery != "" {
		parsed.RawQuery = "…"
	}
	return parsed.Redacted()
}

// MarshalText covers JSON and YAML.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue covers log/slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// UnmarshalText sets the value; Config's check says whether it makes sense.
func (u *URL) UnmarshalText(text []byte) error {
	*u = URL(text)
	return nil
}

// Size is a number of bytes, written as 262144, 256KiB or 1MiB.
type Size int64

type sizeUnit struct {
	suffix string
	bytes  int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), int64(1)
	for _, unit := range sizeUnits() {
		if head, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, factor = strings.TrimSpace(head), unit.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return errors.New("a size is a number of bytes, or of KiB, MiB or GiB, such as 256KiB")
	}
	*s = Size(n * factor)
	return nil
}

func (s Size) String() string {
	for _, unit := range sizeUnits() {
		if s != 0 && int64(s)%unit.bytes == 0 && unit.bytes > 1 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes a size so that UnmarshalText reads the same.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Rate is a token bucket: so many a second in the long run, so many at once. It is written as 30/s:100.
type Rate struct {
	PerSecond float64
	Burst     int
}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	wrong := errors.New("a rate is written as 30/s:100, for 30 a second and 100 at once")
	perSecond, burst, ok := strings.Cut(strings.TrimSpace(string(text)), "/s:")
	if !ok {
		return wrong
	}
	f, err := strconv.ParseFloat(perSecond, 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return wrong
	}
	n, err := strconv.Atoi(burst)
	if err != nil || n < 1 {
		return wrong
	}
	*r = Rate{PerSecond: f, Burst: n}
	return nil
}

func (r Rate) String() string {
	return strconv.FormatFloat(r.PerSecond, 'g', -1, 64) + "/s:" + strconv.Itoa(r.Burst)
}

// MarshalText writes a rate so that UnmarshalText reads the same.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
