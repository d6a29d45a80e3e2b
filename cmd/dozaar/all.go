package main

import "context"

// all starts the embedded engines where no address is given, makes what is missing, and then is the list of roles.
func (p *process) all(ctx context.Context) error {
	e, err := p.embedded()
	if err != nil {
		return err
	}
	quiet := p.telling()
	quiet.metrics = nil // the roles' clients have them
	if err := (deployment{cfg: p.cfg, engines: e, telling: quiet, waiting: p.waiting}).everything(ctx); err != nil {
		return err
	}
	return p.roles(ctx, e)
}
