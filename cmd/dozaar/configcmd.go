package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// configCmd is `dozaar config`: it takes every flag of every role.
type configCmd struct {
	Config
	Print configPrintCmd `cmd:"" default:"1" help:"Print what is in force, as a YAML file that --config takes. Secrets are hidden."`
	Check configCheckCmd `cmd:"" help:"Name everything that is wrong, one line each, and fail if anything is."`
}

type configPrintCmd struct{}

// Run prints every setting under its flag's name, in the order of the help.
func (*configPrintCmd) Run(ctx *kong.Context, a *app) error {
	if err := a.settings.problems.err(); err != nil {
		return err
	}
	document := &yaml.Node{Kind: yaml.MappingNode}
	group := ""
	for _, flag := range ctx.Selected().Parent.Flags {
		key, value := &yaml.Node{}, &yaml.Node{}
		key.SetString(flag.Name)
		if err := value.Encode(flag.Target.Interface()); err != nil {
			return fmt.Errorf("%s: %w", flag.Name, err)
		}
		value.Style |= yaml.FlowStyle
		if flag.Group != nil && flag.Group.Key != group {
			group = flag.Group.Key
			key.HeadComment = "\n" + strings.TrimSuffix(group, ":")
		}
		document.Content = append(document.Content, key, value)
	}
	encoder := yaml.NewEncoder(a.stdout)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return encoder.Close()
}

type configCheckCmd struct {
	Role string `local:"" enum:"all,gateway,deliver,presence,notify,archive" default:"all" placeholder:"ROLE" help:"Check what this role would be started with: all, gateway, deliver, presence, notify or archive."`
}

// Run checks what `dozaar all`, or another role, would be started with.
func (c *configCheckCmd) Run(parent *configCmd, a *app) error {
	found := a.settings.all(parent.of(c.Role))
	if err := found.err(); err != nil {
		return err
	}
	for _, one := range a.settings.strange {
		fmt.Fprintln(a.stderr, "dozaar:", one)
	}
	_, err := fmt.Fprintln(a.stdout, "the configuration is valid")
	return err
}
