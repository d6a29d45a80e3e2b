package chat

import (
	"strings"
	"testing"
)

func TestTraceParent(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for text, valid := range map[string]bool{
		good:                              true,
		"cc" + good[2:]:                   true,
		"cc" + good[2:] + "-what.will-be": true,
		"":                                false,
		good[:54]:                         false,
		good + "-more":                    false, // version 00 has an end
		"cc" + good[2:] + "more":          false,
		"cc" + good[2:] + "-a\nb":         false,
		"cc" + good[2:] + strings.Repeat("-a", 99): false,
		"ff" + good[2:]:       false,
		strings.ToUpper(good): false,
		strings.Replace(good, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32), 1): false,
		strings.Replace(good, "00f067aa0ba902b7", strings.Repeat("0", 16), 1):                 false,
		strings.Replace(good, "-01", "_01", 1):                                                false,
	} {
		want := ""
		if valid {
			want = text
		}
		if got := TraceParent(WithTraceParent(t.Context(), text)); got != want {
			t.Errorf("%q is carried as %q", text, got)
		}
	}
	if got := TraceParent(t.Context()); got != "" {
		t.Errorf("%q came from nowhere", got)
	}
}
