package main

import (
	"errors"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
)

// Config is every setting of every command, one group per concern. A command embeds the groups that it uses,
// and only those are its flags.
type Config struct {
	Dev bool `help:"For trying out: a secret of its own in the data folder, the page at /, every origin allowed."`

	Process   ProcessConfig   `embed:"" group:"Process:"`
	HTTP      HTTPConfig      `embed:"" group:"HTTP:"`
	Tokens    TokenConfig     `embed:"" group:"Tokens:"`
	Sockets   SocketConfig    `embed:"" group:"Sockets:"`
	Lease     LeaseConfig     `embed:"" group:"Presence:"`
	Presence  PresenceConfig  `embed:"" group:"Presence:"`
	Audience  AudienceConfig  `embed:"" group:"Presence:"`
	Notify    NotifyConfig    `embed:"" group:"Notifications:"`
	Data      DataConfig      `embed:"" group:"Data:"`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Topics    TopicsConfig    `embed:"" group:"Kafka:"`
	Member    MemberConfig    `embed:"" group:"Kafka:"`
	Registry  RegistryConfig  `embed:"" group:"Schema registry:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Keyspace  KeyspaceConfig  `embed:"" group:"Cassandra:"`
	Redis     RedisConfig     `embed:"" group:"Redis:"`
	Embedded  EmbeddedConfig  `embed:"" group:"Embedded engines:"`
}

// ProcessConfig is what every role has.
type ProcessConfig struct {
	AdminListen     string        `default:"127.0.0.1:3001" placeholder:"HOST:PORT" help:"Where /livez, /readyz, /metrics and /debug/pprof are; without authentication, so not for the world."`
	LogLevel        string        `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat       string        `default:"text" placeholder:"FORMAT" help:"text or json."`
	TraceURL        URL           `name:"trace-url" placeholder:"URL" help:"Where traces are sent (OTLP over HTTP), such as http://127.0.0.1:4318. Nothing is traced if not given."`
	TraceRatio      float64       `default:"0.01" placeholder:"RATIO" help:"Share of the events of clients that are traced, 0 to 1."`
	ShutdownTimeout time.Duration `default:"25s" placeholder:"DURATION" help:"How long stopping may take: sockets are drained, what is in flight is finished."`
}

// HTTPConfig is where clients connect.
type HTTPConfig struct {
	Listen         string        `default:"127.0.0.1:3000" placeholder:"HOST:PORT" help:"Where /socket.io/, /v1 and, with --dev, the page are."`
	AllowedOrigins []string      `placeholder:"ORIGIN" help:"Origins of the web pages that may connect, such as https://shop.example; * for all. Clients that are no browsers need none."`
	TrustedProxies []string      `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8. Only connections per address are counted by it."`
	DrainDelay     time.Duration `default:"0s" placeholder:"DURATION" help:"How long a gateway that stops still lets clients in while /readyz fails, so that whoever spreads them notices first. It is a part of the shutdown timeout."`
	DrainOver      time.Duration `default:"0s" placeholder:"DURATION" help:"Over how long a gateway that stops closes its sockets, so that their clients come back elsewhere little by little; at most half of what the shutdown timeout leaves. 0: 2,500 a second."`
}

// SigningConfig is what a token is made from; the gateway checks the same.
type SigningConfig struct {
	JWTSecret   Secret   `name:"jwt-secret" placeholder:"SECRET" help:"Secret of HS256 tokens, at least 32 bytes. Other users of a machine can read flags: prefer the variable."`
	JWTAudience []string `name:"jwt-audience" placeholder:"NAME" help:"Accepted audiences; not checked if empty."`
	JWTIssuer   string   `name:"jwt-issuer" placeholder:"NAME" help:"Accepted issuer; not checked if empty."`
}

// TokenConfig is which tokens are accepted.
type TokenConfig struct {
	SigningConfig
	JWTKeyFile    string        `name:"jwt-key-file" placeholder:"FILE" help:"Public keys as PEM or JWKS; read again every 5 minutes."`
	JWTJWKSURL    URL           `name:"jwt-jwks-url" placeholder:"URL" help:"Where public keys are published as JWKS."`
	JWTAlgorithms []string      `name:"jwt-algorithms" placeholder:"NAME" help:"Accepted algorithms: HS256, RS256, ES256, EdDSA. By default HS256 if there is a secret, the others if there is a key file or URL."`
	JWTLeeway     time.Duration `name:"jwt-leeway" default:"0s" placeholder:"DURATION" help:"How far clocks may differ when a token's times are checked."`
	JWTKeysMaxAge time.Duration `name:"jwt-keys-max-age" default:"6h" placeholder:"DURATION" help:"How long the last keys go on when file or URL cannot be read."`
}

// SocketConfig limits what clients may do. Rates are per socket but for handshakes, which are the whole
// process's: 30/s:100 is 30 a second, 100 at once.
type SocketConfig struct {
	MaxFrame       Size `default:"256KiB" placeholder:"SIZE" help:"Largest frame or polling request."`
	SocketBuffer   Size `default:"1MiB" placeholder:"SIZE" help:"Most unsent data of a socket; past that it is closed."`
	SocketsPerUser int  `default:"100" placeholder:"N" help:"Most sockets of one user at one gateway."`

	JoinsAtOnce int `default:"16" placeholder:"N" help:"Most joins that ask Redis and the store at the same time; others wait their turn. Fewer begin while the store answers slowly, so that live messages do not wait when everybody comes back after a deploy."`

	ConnectTimeout        time.Duration `default:"15s" placeholder:"DURATION" help:"How long a connection may take to say who it is."`
	ConnectionsPerAddress int           `default:"0" placeholder:"N" help:"Most connections of one address (of one /64, if IPv6) at one gateway, and as many new ones in ten seconds; 0: any number, and one address can use up the rate of handshakes for all. Many people may share an address. Behind a proxy, set the trusted proxies first."`

	RateHandshakes Rate `default:"1000/s:2000" placeholder:"RATE" help:"New connections, of all clients together."`
	RateMessages   Rate `default:"30/s:100" placeholder:"RATE" help:"send:message."`
	RateTyping     Rate `default:"20/s:100" placeholder:"RATE" help:"typing:start and typing:stop."`
	RateReads      Rate `default:"100/s:2000" placeholder:"RATE" help:"mark:read."`
	RateJoins      Rate `default:"20/s:500" placeholder:"RATE" help:"join:conversation and leave:conversation."`
	RateStatus     Rate `default:"10/s:50" placeholder:"RATE" help:"get:online_status."`
	RateRefresh    Rate `default:"1/s:10" placeholder:"RATE" help:"auth:refresh."`
	RateUnknown    Rate `default:"10/s:50" placeholder:"RATE" help:"What is no event."`
	RateRequests   Rate `default:"50/s:200" placeholder:"RATE" help:"Requests of one user to the HTTP API; tokens of scope service have no limit."`
	RateRefusals   Rate `default:"10/s:300" placeholder:"RATE" help:"Events refused for their rate; past that the socket is closed."`
}

// LeaseConfig is how long a user's lease lives: whoever reads leases must say the same as who writes them.
type LeaseConfig struct {
	PresenceTTL time.Duration `name:"presence-ttl" default:"5m" placeholder:"DURATION" help:"How long a user stays online after the last sign of their gateway; the same in every role."`
}

// PresenceConfig is when users are gone, and how long they type.
type PresenceConfig struct {
	PresenceGrace time.Duration `name:"presence-grace" default:"10s" placeholder:"DURATION" help:"How long a user who left stays online, so that a reload is not told to anybody."`
	TypingTTL     time.Duration `name:"typing-ttl" default:"10s" placeholder:"DURATION" help:"How long somebody is typing without saying so again."`
}

// AudienceConfig is who may know who is online: whoever tells it and whoever answers must say the same.
type AudienceConfig struct {
	PresenceAudience string `name:"presence-audience" default:"everyone" placeholder:"WHO" help:"Who may see who is online: everyone who knows an id, members (who share a conversation with them), or nobody."`
}

// NotifyConfig is who is called, and how, when a message has not reached them.
type NotifyConfig struct {
	NotifyDelay         time.Duration `name:"notify-delay" default:"1m" placeholder:"DURATION" help:"How long a message waits before those who are away and have not read it are to be called."`
	NotifyRepeat        time.Duration `name:"notify-repeat" default:"0s" placeholder:"DURATION" help:"After how long a member is called again, by a further message, who has read nothing since. 0: once until they read."`
	NotifyMaxAge        time.Duration `name:"notify-max-age" default:"1h" placeholder:"DURATION" help:"Past this nobody is called any more: a call that late helps nobody."`
	NotifyWebhookURL    URL           `name:"notify-webhook-url" placeholder:"URL" help:"Where notifications are posted, beside the topic chat.notifications; nowhere if not given."`
	NotifyWebhookSecret Secret        `name:"notify-webhook-secret" placeholder:"SECRET" help:"Signs what is posted (Standard Webhooks); at least 24 bytes, or whsec_ and base64."`
}

// DataConfig is where a process keeps files.
type DataConfig struct {
	DataDir string `default:"./data" placeholder:"DIR" help:"Folder of the embedded engines and of the secret that --dev makes."`
}

// EmbeddedConfig is where embedded engines listen, for those who want to look or read along.
type EmbeddedConfig struct {
	EmbeddedKafka    string `placeholder:"HOST:PORT" help:"Where the embedded Kafka listens; a free loopback port if not given."`
	EmbeddedRegistry string `placeholder:"HOST:PORT" help:"Where the embedded schema registry listens; a free loopback port if not given."`
}

// errNoKey is told when a gateway would have nothing to verify tokens with.
var errNoKey = errors.New("no key to verify tokens with: set DOZAAR_JWT_SECRET (at least 32 bytes), " +
	"DOZAAR_JWT_KEY_FILE or DOZAAR_JWT_JWKS_URL; or, for trying out, run `dozaar all --dev`")

// CheckGateway says whether there is a key for a gateway to verify tokens with. Without --dev there is no
// default.
func (c Config) CheckGateway() error {
	if c.Dev || c.Tokens.hasKey() {
		return nil
	}
	return errNoKey
}

func (t TokenConfig) hasKey() bool {
	return t.JWTSecret.IsSet() || t.JWTKeyFile != "" || t.JWTJWKSURL != ""
}

// Auth is the verifier's configuration. With --dev and without a secret it is the data folder's own, which
// is made if need be. Logger and Registerer are left to the caller.
func (c Config) Auth() (auth.Config, error) {
	if err := c.CheckGateway(); err != nil {
		return auth.Config{}, err
	}
	cfg := c.Tokens.auth()
	if c.Dev && len(cfg.Secret) == 0 {
		secret, err := DevSecret(c.Data.DataDir)
		if err != nil {
			return auth.Config{}, err
		}
		cfg.Secret = secret
	}
	return cfg, nil
}

func (t TokenConfig) auth() auth.Config {
	return auth.Config{
		Secret:     t.JWTSecret.Reveal(),
		KeyFile:    t.JWTKeyFile,
		JWKSURL:    string(t.JWTJWKSURL),
		Algorithms: t.JWTAlgorithms,
		Audience:   t.JWTAudience,
		Issuer:     t.JWTIssuer,
		Leeway:     t.JWTLeeway,
		MaxKeyAge:  t.JWTKeysMaxAge,
	}
}
