package main

import (
	"context"
	"net"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The roles, by the names of their commands.
const (
	roleAll      = "all"
	roleGateway  = "gateway"
	roleDeliver  = "deliver"
	rolePresence = "presence"
	roleNotify   = "notify"
	roleArchive  = "archive"
)

// allCmd is `dozaar all`.
type allCmd struct {
	Config
}

// Help is what `dozaar all --help` adds.
func (*allCmd) Help() string {
	return `With --dev it needs nothing else: it makes its own secret in the data folder, serves the page at /, and allows every origin. Without, say how tokens are verified. Topics, tables and schemas are made where they are missing.`
}

func (c *allCmd) Run(ctx context.Context, a *app) error { return a.runRole(ctx, roleAll, c.Config) }

// gatewayCmd is `dozaar gateway`.
type gatewayCmd struct {
	Dev bool `help:"For trying out: a secret of its own in the data folder, the page at /, every origin allowed."`

	Process   ProcessConfig   `embed:"" group:"Process:"`
	HTTP      HTTPConfig      `embed:"" group:"HTTP:"`
	Tokens    TokenConfig     `embed:"" group:"Tokens:"`
	Sockets   SocketConfig    `embed:"" group:"Sockets:"`
	Lease     LeaseConfig     `embed:"" group:"Presence:"`
	Presence  PresenceConfig  `embed:"" group:"Presence:"`
	Audience  AudienceConfig  `embed:"" group:"Presence:"`
	Data      DataConfig      `embed:"" group:"Data:"`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Registry  RegistryConfig  `embed:"" group:"Schema registry:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Redis     RedisConfig     `embed:"" group:"Redis:"`
}

// Help is what `dozaar gateway --help` adds.
func (*gatewayCmd) Help() string {
	return `Clients connect here; any number may run. It waits for engines that are away, and ends with the command to run where topics, tables or schemas are missing.`
}

func (c *gatewayCmd) Run(ctx context.Context, a *app) error {
	return a.runRole(ctx, roleGateway, Config{
		Dev: c.Dev, Process: c.Process, HTTP: c.HTTP, Tokens: c.Tokens, Sockets: c.Sockets, Lease: c.Lease, Presence: c.Presence,
		Audience: c.Audience, Data: c.Data, Kafka: c.Kafka, Registry: c.Registry, Cassandra: c.Cassandra, Redis: c.Redis,
	})
}

// deliverCmd is `dozaar deliver`.
type deliverCmd struct {
	Process   ProcessConfig   `embed:"" group:"Process:"`
	Lease     LeaseConfig     `embed:"" group:"Presence:"`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Member    MemberConfig    `embed:"" group:"Kafka:"`
	Registry  RegistryConfig  `embed:"" group:"Schema registry:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Redis     RedisConfig     `embed:"" group:"Redis:"`
}

// Help is what `dozaar deliver --help` adds.
func (*deliverCmd) Help() string {
	return `Any number may run, up to the number of partitions: Kafka shares the partitions out. It waits for engines that are away, and ends with the command to run where topics, tables or schemas are missing.`
}

func (c *deliverCmd) Run(ctx context.Context, a *app) error {
	return a.runRole(ctx, roleDeliver, Config{
		Process: c.Process, Lease: c.Lease, Kafka: c.Kafka, Member: c.Member, Registry: c.Registry, Cassandra: c.Cassandra, Redis: c.Redis,
	})
}

// presenceCmd is `dozaar presence`.
type presenceCmd struct {
	Process   ProcessConfig   `embed:"" group:"Process:"`
	Lease     LeaseConfig     `embed:"" group:"Presence:"`
	Audience  AudienceConfig  `embed:"" group:"Presence:"`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Registry  RegistryConfig  `embed:"" group:"Schema registry:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Redis     RedisConfig     `embed:"" group:"Redis:"`
}

// Help is what `dozaar presence --help` adds.
func (*presenceCmd) Help() string {
	return `One is enough, any number may run. It waits for engines that are away, and ends with the command to run where topics, tables or schemas are missing.`
}

func (c *presenceCmd) Run(ctx context.Context, a *app) error {
	return a.runRole(ctx, rolePresence, Config{
		Process: c.Process, Lease: c.Lease, Audience: c.Audience, Kafka: c.Kafka, Registry: c.Registry, Cassandra: c.Cassandra, Redis: c.Redis,
	})
}

// notifyCmd is `dozaar notify`.
type notifyCmd struct {
	Process   ProcessConfig   `embed:"" group:"Process:"`
	Notify    NotifyConfig    `embed:"" group:"Notifications:"`
	Lease     LeaseConfig     `embed:"" group:"Presence:"`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Registry  RegistryConfig  `embed:"" group:"Schema registry:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Redis     RedisConfig     `embed:"" group:"Redis:"`
}

// Help is what `dozaar notify --help` adds.
func (*notifyCmd) Help() string {
	return `Any number may run, up to the number of partitions; none need run where nobody is to be called. A new one begins with what is sent from then on. It waits for engines that are away, and ends with the command to run where topics, tables or schemas are missing.`
}

func (c *notifyCmd) Run(ctx context.Context, a *app) error {
	return a.runRole(ctx, roleNotify, Config{
		Process: c.Process, Notify: c.Notify, Lease: c.Lease, Kafka: c.Kafka, Registry: c.Registry, Cassandra: c.Cassandra, Redis: c.Redis,
	})
}

// runRole runs a role until ctx ends.
func (a *app) runRole(ctx context.Context, role string, cfg Config) error {
	if err := a.settings.all(cfg.of(role)).first(role); err != nil {
		return err
	}
	defer headroom(a.env, limitMemory(memlimit.FromCgroup))()
	p, err := newProcess(cfg, role, a.stdout, a.stderr)
	if err != nil {
		return err
	}
	a.settings.warn(p.log)
	return p.run(ctx, func(ctx context.Context) error {
		go ownMemory().tidy(ctx)
		if role == roleAll {
			return p.all(ctx)
		}
		return p.roles(ctx, cfg.given())
	})
}

// roles builds the parts of the process's role. All is every role, on one set of clients.
func (p *process) roles(ctx context.Context, e engines) error {
	is := func(role string) bool { return p.role == roleAll || p.role == role }
	c, err := p.connect(ctx, e)
	if err != nil {
		return err
	}
	if is(roleDeliver) {
		if err := p.deliver(c); err != nil {
			return err
		}
	}
	if is(rolePresence) {
		if err := p.presence(c); err != nil {
			return err
		}
	}
	if is(roleNotify) {
		if err := p.notify(c); err != nil {
			return err
		}
	}
	var address net.Addr
	if is(roleGateway) {
		if address, err = p.gateway(ctx, c); err != nil {
			return err
		}
	}
	p.greet(address, e)
	return nil
}
