package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it was asked for properly and went wrong, a wrong configuration included
	exitUsage  = 2 // the command line makes no sense
)

// cli is the grammar of the command line.
type cli struct {
	Help helpFlag   `short:"h" local:"" help:"Show help and exit."`
	File configFile `name:"config" placeholder:"FILE" help:"YAML file with settings; its keys are the flags' names."`

	All      allCmd      `cmd:"" help:"Run every role in one process, on embedded engines unless told otherwise."`
	Gateway  gatewayCmd  `cmd:"" help:"Run what clients connect to: sockets and HTTP API."`
	Deliver  deliverCmd  `cmd:"" help:"Run what numbers messages, stores them and tells the gateways."`
	Presence presenceCmd `cmd:"" help:"Run what finds who went offline, and tells who came and went."`
	Notify   notifyCmd   `cmd:"" help:"Run what finds members whom a message has not reached, and has them called."`
	Archive  archiveCmd  `cmd:"" help:"Run what writes the topics into Parquet files."`

	Migrate    migrateCmd    `cmd:"" help:"Make Cassandra's tables."`
	Schemas    schemasCmd    `cmd:"" help:"Register or check the schemas."`
	Topics     topicsCmd     `cmd:"" help:"Make, check or adopt the topics."`
	DeadLetter deadLetterCmd `cmd:"" name:"deadletter" help:"List, show or redrive records that could not be read."`
	Registry   registryCmd   `cmd:"" help:"Run a schema registry, for development."`

	Erase   eraseCmd   `cmd:"" help:"Erase what a user has written."`
	Token   tokenCmd   `cmd:"" help:"Print a token for a user."`
	Config  configCmd  `cmd:"" help:"Print or check the configuration."`
	Version versionCmd `cmd:"" help:"Print the version."`
	HelpCmd helpCmd    `cmd:"" name:"help" help:"Show help for a command."`
}

const description = `Real-time chat for marketplaces: Socket.IO at the front; Kafka, Cassandra and Redis behind, or embedded engines in their place.

Start with: dozaar all --dev

Every setting is a flag, an environment variable and a key of the YAML file. Flags win over the environment, the environment wins over the file. An empty variable counts as not set; one that is nearly a setting is refused.`

// app is what commands are given: where to write, and what was said about settings.
type app struct {
	env            environment
	stdout, stderr io.Writer
	settings       *settings
}

// errHelpShown ends the parsing when help was asked for and given.
var errHelpShown = errors.New("help was shown")

// run is the whole program: it parses args, calls the command, and returns the exit code. Errors go to
// stderr, one line each.
func run(ctx context.Context, args []string, env environment, stdout, stderr io.Writer) int {
	a := &app{env: env, stdout: stdout, stderr: stderr}
	nothingSaid := len(args) == 0
	if nothingSaid {
		args = []string{"--help"}
	}
	err := a.execute(ctx, args)
	if err == nil || errors.Is(err, errHelpShown) {
		if nothingSaid {
			return exitUsage
		}
		return exitOK
	}
	for _, line := range lines(err) {
		fmt.Fprintf(stderr, "dozaar: %s\n", withoutPasswords(line))
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// execute parses one command line and runs its command.
func (a *app) execute(ctx context.Context, args []string) error {
	var grammar cli
	a.settings = &settings{env: a.env}
	parser, err := kong.New(&grammar,
		kong.Name("dozaar"),
		kong.Description(description),
		kong.NoDefaultHelp(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.ValueFormatter(helpWithVariable),
		kong.Writers(a.stdout, a.stderr),
		kong.Resolvers(a.settings),
		kong.Bind(a),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return err
	}
	for _, flag := range parser.Model.Flags {
		if flag.Name == "help" {
			parser.Model.HelpFlag = flag
		}
	}
	parsed, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return err
	}
	if err != nil {
		return &usageError{fmt.Errorf("%w; see `dozaar --help`", err)}
	}
	return parsed.Run()
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func lines(err error) []string { return strings.Split(strings.TrimSpace(err.Error()), "\n") }

// withoutPasswords hides what stands before the host of a URL: client libraries repeat addresses in their
// errors as they were given.
func withoutPasswords(line string) string {
	return regexp.MustCompile(`://[^/@\s"]*@`).ReplaceAllString(line, "://***@")
}
