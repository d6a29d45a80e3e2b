package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/dozaar/dozaar/loadtest/load"
)

// targets are what can be driven. Another chat is another entry: how its users get in and how a conversation is made.
var targets = map[string]func(options) (load.Target, error){
	"dozaar": dozaar,
}

func targetNames() []string { return slices.Sorted(maps.Keys(targets)) }

func newTarget(o options) (load.Target, error) {
	open, known := targets[o.target]
	if !known {
		return nil, fmt.Errorf("%q is none of the targets %s", o.target, strings.Join(targetNames(), ", "))
	}
	return open(o)
}

func dozaar(o options) (load.Target, error) {
	secret := os.Getenv("DOZAAR_JWT_SECRET")
	if secret == "" {
		text, err := os.ReadFile(o.secret) //nolint:gosec // whoever runs this names the file
		if err != nil {
			return nil, err
		}
		secret = strings.TrimSpace(string(text))
	}
	return load.NewDozaar(strings.Split(o.gateways, ","), []byte(secret)), nil
}
