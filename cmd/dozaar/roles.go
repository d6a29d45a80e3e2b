package main

import "context"

// allCmd is `dozaar all`.
type allCmd struct {
	Config
}

// Help is what `dozaar all --help` adds.
func (*allCmd) Help() string {
	return `With --dev it needs nothing else: it makes its own secret in the data folder, serves the page at /, and allows every origin. Without, say how tokens are verified.`
}

func (c *allCmd) Run(ctx context.Context, a *app) error {
	if err := a.settings.valid(c.Config); err != nil {
		return err
	}
	if err := c.CheckGateway(); err != nil {
		return err
	}
	return runAll(ctx, c.Config, a.stdout, a.stderr)
}
