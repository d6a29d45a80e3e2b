package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/pkg/observe"
)

// registryCmd is `dozaar registry`.
type registryCmd struct {
	Listen    string `local:"" default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where it listens, on the loopback."`
	Dir       string `local:"" default:"./data/registry" placeholder:"DIR" help:"Its folder."`
	LogLevel  string `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat string `default:"text" placeholder:"FORMAT" help:"text or json."`
}

// Help is what `dozaar registry --help` adds.
func (*registryCmd) Help() string {
	return `For development: it has no replica and no password. It speaks Confluent's HTTP interface, and answers /livez and /readyz.`
}

func (c *registryCmd) Run(ctx context.Context, a *app) error {
	if err := a.settings.valid(); err != nil {
		return err
	}
	if c.Dir == "" {
		return &usageError{errors.New("--dir must name a folder")}
	}
	log, err := observe.NewLogger(a.stderr, c.LogFormat, c.LogLevel)
	if err != nil {
		return fmt.Errorf("DOZAAR_LOG_LEVEL, DOZAAR_LOG_FORMAT: %w", err)
	}
	registry, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: c.Dir, Listen: c.Listen, Logger: log})
	if err != nil {
		return err
	}
	log.Info("the schema registry is there", "url", registry.URL(), "dir", c.Dir)
	<-ctx.Done()
	return registry.Close()
}
