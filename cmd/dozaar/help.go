package main

import (
	"context"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpFlag is -h, --help.
type helpFlag bool

// IgnoreDefault lets help be asked for where a command or an argument is missing.
func (helpFlag) IgnoreDefault() {}

// BeforeReset is called by the parser as soon as it has seen the flag.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelpShown
}

// helpCmd is `dozaar help [command]`.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

func (h *helpCmd) Run(ctx context.Context, a *app) error {
	return a.execute(ctx, append(slices.Clone(h.Command), "--help"))
}

// helpWithVariable adds to a flag's help its default and its environment variable.
func helpWithVariable(value *kong.Value) string {
	var notes []string
	if value.HasDefault {
		notes = append(notes, "default "+value.Default)
	}
	if value.Flag != nil && isSetting(value.Flag) {
		notes = append(notes, "$"+variable(value.Flag.Name))
	}
	if notes == nil {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + strings.Join(notes, ", ") + ")."
}
