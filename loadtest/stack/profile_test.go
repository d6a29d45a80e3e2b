package stack

import (
	"strings"
	"testing"
)

func TestFirstLines(t *testing.T) {
	top := "File: x\nTime: y\n      flat  flat%   sum%        cum   cum%\n 1ms a\n 2ms github.com/dozaar/dozaar/pkg/b\n 3ms c\n"
	if got := firstLines(top, 2, All); !strings.HasSuffix(got, "cum%\n 1ms a\n 2ms pkg/b\n") || strings.Contains(got, "Time") {
		t.Errorf("%q", got)
	}
	if got := firstLines(top, 2, Ours); !strings.HasSuffix(got, "cum%\n 2ms pkg/b\n") {
		t.Errorf("ours: %q", got)
	}
}
