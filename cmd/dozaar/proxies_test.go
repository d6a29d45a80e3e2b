package main

import (
	"fmt"
	"testing"
)

func TestTrustedProxies(t *testing.T) {
	got, err := trustedProxies([]string{"10.1.2.3/8", "192.0.2.7", "fd00::/8", "::1"})
	if want := "[10.0.0.0/8 192.0.2.7/32 fd00::/8 ::1/128]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for _, text := range []string{"", "proxy", "10.0.0.0/33", "10.0.0.0/8/8", "fe80::1%eth0", "::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0", "10.0.0.1:80"} {
		if got, err := trustedProxies([]string{"10.0.0.1", text}); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
