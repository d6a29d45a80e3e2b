package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version string

// build is what is running.
type build struct{ Version, Revision string }

// currentBuild asks the linker's value first, then what Go recorded.
func currentBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(version, info)
}

func buildOf(linked string, info *debug.BuildInfo) build {
	b := build{Version: linked, Revision: "unknown"}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "development"
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		b.Revision += "-modified"
	}
	return b
}

// versionCmd is `dozaar version`.
type versionCmd struct{}

func (*versionCmd) Run(a *app) error {
	b := currentBuild()
	_, err := fmt.Fprintf(a.stdout, "dozaar %s (revision %s, %s, %s/%s)\n", b.Version, b.Revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
