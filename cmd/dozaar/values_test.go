package main

import (
	"runtime/debug"
	"testing"
)

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Size
		back string
	}{
		{"0", 0, "0"}, {"262144", 256 << 10, "256KiB"}, {"256KiB", 256 << 10, "256KiB"}, {"1 MiB", 1 << 20, "1MiB"},
		{"2GiB", 2 << 30, "2GiB"}, {"1500", 1500, "1500"}, {"12B", 12, "12"},
	} {
		var got Size
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want || got.String() != tt.back {
			t.Errorf("%q: %d (%s), %v", tt.text, got, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5MiB", "1KB", "9999999999GiB", "MiB"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestRate(t *testing.T) {
	var got Rate
	if err := got.UnmarshalText([]byte("0.5/s:3")); err != nil || got != (Rate{0.5, 3}) || got.String() != "0.5/s:3" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "30", "30/s", "0/s:1", "-1/s:1", "NaN/s:1", "Inf/s:1", "1/s:0", "1/s:x", "1/m:1"} {
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestBuildOf(t *testing.T) {
	module := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	for _, tt := range []struct {
		name, linked string
		info         *debug.BuildInfo
		want         build
	}{
		{"linked wins", "v9", module, build{"v9", "abc-modified"}},
		{"module", "", module, build{"v1.2.3", "abc-modified"}},
		{"devel", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, build{"development", "unknown"}},
		{"nothing", "", &debug.BuildInfo{}, build{"development", "unknown"}},
	} {
		if got := buildOf(tt.linked, tt.info); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
