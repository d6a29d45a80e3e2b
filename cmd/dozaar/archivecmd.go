package main

import (
	"context"
	"errors"
	"time"

	"github.com/dozaar/dozaar/schemas/registry"
	"github.com/dozaar/dozaar/streams/archive"
)

// archiveCmd is `dozaar archive`.
type archiveCmd struct {
	Dir   string        `local:"" default:"./data/archive" placeholder:"DIR" help:"The folder of the files; made if missing."`
	Once  bool          `local:"" help:"Write what is there now and end; without, go on, and write what has waited long enough or is large enough."`
	Every time.Duration `local:"" default:"15m" placeholder:"DURATION" help:"How long a record waits for its file at most."`
	Wait  time.Duration `local:"" default:"1m" placeholder:"DURATION" help:"With --once: how long to wait for an engine that is away; without, it is waited for for ever."`

	Process  ProcessConfig  `embed:"" group:"Process:"`
	Kafka    KafkaConfig    `embed:"" group:"Kafka:"`
	Registry RegistryConfig `embed:"" group:"Schema registry:"`
}

// Help is what `dozaar archive --help` adds.
func (*archiveCmd) Help() string {
	return `The files are named by the offsets that they hold, so each record is in one file, once, however often this is ended or killed. One process uses a folder at a time.`
}

func (c *archiveCmd) Run(ctx context.Context, a *app) error {
	cfg := Config{Process: c.Process, Kafka: c.Kafka, Registry: c.Registry}
	if err := a.settings.all(cfg.of(roleArchive)).first(roleArchive); err != nil {
		return err
	}
	if c.Dir == "" || c.Every <= 0 {
		return &usageError{errors.New("--dir must name a folder, and --every be more than nothing")}
	}
	if c.Once {
		cfg.Process.AdminListen = "127.0.0.1:0" // nobody looks in
	}
	p, err := newProcess(cfg, roleArchive, a.stdout, a.stderr)
	if err != nil {
		return err
	}
	if c.Once {
		p.waiting.patience = max(c.Wait, 1)
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	return p.run(ctx, func(ctx context.Context) error { return p.archive(ctx, c, done) })
}

// archive builds the role that archives. Done is called when all is archived that there was, if once.
func (p *process) archive(ctx context.Context, c *archiveCmd, done func()) error {
	e := p.cfg.given()
	from, err := p.cfg.kafka(e, p.telling())
	if err != nil {
		return err
	}
	if err := p.waiting.untilKafkaAnswers(ctx, from); err != nil {
		return err
	}
	client, err := registry.New(nil, e.registry)
	if err != nil {
		return err
	}
	p.life.OnStop("schema registry client", func(context.Context) error { client.Close(); return nil })
	p.life.Go("archive", func(ctx context.Context) error {
		err := p.waiting.until(ctx, engineRegistry, func(ctx context.Context) error { return archive.Registered(ctx, client) })
		if err == nil && ctx.Err() == nil {
			err = archive.Run(ctx, archive.Config{
				Dir: c.Dir, Kafka: from, Registry: client, Once: c.Once, Patience: max(c.Wait, 1), Every: c.Every, Logger: p.log, Registerer: p.metrics,
			})
		}
		if c.Once && err == nil {
			done()
			<-ctx.Done()
		}
		return err
	})
	return nil
}
