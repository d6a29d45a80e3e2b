package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
)

// deadLetterCmd is `dozaar deadletter`.
type deadLetterCmd struct {
	Tool  toolConfig  `embed:""`
	Kafka KafkaConfig `embed:"" group:"Kafka:"`

	List    deadLetterListCmd    `cmd:"" default:"withargs" help:"Print where each comes from and why it could not be read, oldest first."`
	Show    deadLetterShowCmd    `cmd:"" help:"Print one, whole."`
	Redrive deadLetterRedriveCmd `cmd:"" help:"Put records back into their topics, to be read again."`
}

// Help is what `dozaar deadletter --help` adds.
func (*deadLetterCmd) Help() string {
	return `A record that deliver cannot read goes to the topic chat.deadletter, whole. An ID is its place there, PARTITION/OFFSET.`
}

func (c *deadLetterCmd) run(ctx context.Context, a *app, do func(context.Context, kafka.Config) error) error {
	cfg := Config{Kafka: c.Kafka}
	return a.deploy(ctx, c.Tool, cfg, []string{"kafka-brokers"}, []checker{c.Kafka}, func(ctx context.Context, d deployment) error {
		to, err := cfg.kafka(d.engines, d.telling)
		if err != nil {
			return err
		}
		if err := d.waiting.untilKafkaAnswers(ctx, to); err != nil {
			return err
		}
		return do(ctx, to)
	})
}

// deadLetterFilter says which dead letters are meant.
type deadLetterFilter struct {
	Topic  string        `local:"" placeholder:"NAME" help:"Only those that come from this topic."`
	Reason string        `local:"" placeholder:"WORD" default:"" enum:",undecodable,key,partition,invalid,too_large,webhook" help:"Only those with this reason: undecodable, key, partition, invalid, too_large or webhook."`
	Since  time.Duration `local:"" placeholder:"DURATION" help:"Only those that are no older."`
}

func (f deadLetterFilter) takes(d kafka.DeadLetter) bool {
	reason, _, _ := strings.Cut(d.Reason, ":")
	return (f.Topic == "" || f.Topic == d.Topic) && (f.Reason == "" || f.Reason == reason) &&
		(f.Since == 0 || time.Since(d.Buried) <= f.Since)
}

// found are the dead letters that the filter takes, without their values, oldest first, and for each that was redriven
// in vain which one it is now.
func (f deadLetterFilter) found(ctx context.Context, cfg kafka.Config) (letters []deadLetterLine, err error) {
	cameBack := make(map[string]string)
	err = kafka.ReadDeadLetters(ctx, cfg, func(d kafka.DeadLetter) error {
		if earlier, redriven := d.Header(kafka.HeaderRedriven); redriven {
			cameBack[earlier] = d.ID.String()
		}
		if f.takes(d) {
			letters = append(letters, lineOf(d))
		}
		return nil
	})
	for i := range letters {
		letters[i].CameBackAs = cameBack[letters[i].ID]
	}
	slices.SortStableFunc(letters, func(a, b deadLetterLine) int { return a.Buried.Compare(b.Buried) })
	return letters, err
}

// deadLetterLine is a dead letter without its value.
type deadLetterLine struct {
	ID         string    `json:"id"`
	Buried     time.Time `json:"buried"`
	Topic      string    `json:"topic"`
	Partition  int32     `json:"partition"`
	Offset     int64     `json:"offset"`
	Epoch      int32     `json:"epoch"`
	Produced   time.Time `json:"produced"`
	Key        string    `json:"key"`
	Bytes      int       `json:"bytes"`
	Reason     string    `json:"reason"`
	LeftOut    bool      `json:"leftOut,omitempty"` // the record was too large to be kept
	CameBackAs string    `json:"cameBackAs,omitempty"`
}

func lineOf(d kafka.DeadLetter) deadLetterLine {
	return deadLetterLine{
		ID: d.ID.String(), Buried: d.Buried.UTC(), Topic: d.Topic, Partition: d.Partition, Offset: d.Position.Offset, Epoch: d.Position.Epoch,
		Produced: d.Time.UTC(), Key: printable(d.Key), Bytes: max(len(d.Value), d.LeftOut), Reason: d.Reason, LeftOut: d.LeftOut > 0,
	}
}

func (l deadLetterLine) from() string {
	if l.Topic == "" {
		return "unknown"
	}
	return fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
}

// printable is bytes of a stranger's as a terminal may have them.
func printable(b []byte) string {
	if quoted := fmt.Sprintf("%+q", b); quoted[1:len(quoted)-1] != string(b) {
		return quoted
	}
	return string(b)
}

type deadLetterListCmd struct {
	deadLetterFilter
	JSON bool `name:"json" local:"" help:"As JSON, one object a line."`
}

func (c *deadLetterListCmd) Run(ctx context.Context, parent *deadLetterCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, cfg kafka.Config) error {
		letters, err := c.found(ctx, cfg)
		if err != nil {
			return err
		}
		if c.JSON {
			out := json.NewEncoder(a.stdout)
			for _, l := range letters {
				if err := out.Encode(l); err != nil {
					return err
				}
			}
			return nil
		}
		if len(letters) == 0 {
			_, err := fmt.Fprintln(a.stdout, "no dead letters")
			return err
		}
		return table(a.stdout, "ID\tBURIED\tFROM\tKEY\tBYTES\tREASON", letters, func(l deadLetterLine) string {
			if l.CameBackAs != "" {
				l.Reason += " (redriven, came back as " + l.CameBackAs + ")"
			}
			if l.LeftOut {
				l.Reason = "(too large to be kept) " + l.Reason
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s", l.ID, l.Buried.Format(time.RFC3339), l.from(), l.Key, l.Bytes, printable([]byte(l.Reason)))
		})
	})
}

type deadLetterShowCmd struct {
	ID  string `arg:"" help:"PARTITION/OFFSET, as list prints it."`
	Raw bool   `local:"" help:"Only the value, as it is."`
}

// Help is what `dozaar deadletter show --help` adds.
func (*deadLetterShowCmd) Help() string {
	return `The value may be what somebody wrote to somebody: it is shown as it is.`
}

func (c *deadLetterShowCmd) Run(ctx context.Context, parent *deadLetterCmd, a *app) error {
	id, err := deadLetterID(c.ID)
	if err != nil {
		return err
	}
	return parent.run(ctx, a, func(ctx context.Context, cfg kafka.Config) error {
		d, err := kafka.ReadDeadLetter(ctx, cfg, id)
		if err != nil {
			return err
		}
		if c.Raw {
			_, err := a.stdout.Write(d.Value)
			return err
		}
		return showDeadLetter(a.stdout, d)
	})
}

func showDeadLetter(out io.Writer, d kafka.DeadLetter) error {
	l := lineOf(d)
	rows := [][2]string{
		{"id", l.ID}, {"buried", l.Buried.Format(time.RFC3339Nano)}, {"reason", printable([]byte(l.Reason))}, {"from", l.from()},
		{"log epoch", fmt.Sprint(l.Epoch)}, {"produced", l.Produced.Format(time.RFC3339Nano)}, {"key", l.Key},
	}
	for _, h := range d.Headers {
		rows = append(rows, [2]string{"header " + printable([]byte(h.Key)), printable(h.Value)})
	}
	if err := table(out, "", rows, func(row [2]string) string { return row[0] + "\t" + row[1] }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "value, %d bytes:\n%s", len(d.Value), hex.Dump(d.Value))
	return err
}

type deadLetterRedriveCmd struct {
	ID []string `arg:"" optional:"" help:"Which; PARTITION/OFFSET, as list prints it."`
	deadLetterFilter
	All    bool `local:"" help:"All that the other flags take: of what was redriven in vain and came back only the newest, and none that was too large to be kept."`
	DryRun bool `local:"" help:"Only print what would be put back."`
}

// Help is what `dozaar deadletter redrive --help` adds.
func (*deadLetterRedriveCmd) Help() string {
	return `For after a release that can read what an earlier one could not. A record gets the next number of its conversation, as if it were sent now; one that is stored already is dropped as a duplicate, so this may be run again. What cannot be read still comes back as another dead letter.`
}

func (c *deadLetterRedriveCmd) Run(ctx context.Context, parent *deadLetterCmd, a *app) error {
	if c.All == (len(c.ID) > 0) {
		return &usageError{errors.New("name the dead letters' IDs, or say --all")}
	}
	if !c.All && c.deadLetterFilter != (deadLetterFilter{}) {
		return &usageError{errors.New("--topic, --reason and --since go with --all, not with IDs")}
	}
	wanted := make(map[kafka.DeadLetterID]bool)
	for _, text := range c.ID {
		id, err := deadLetterID(text)
		if err != nil {
			return err
		}
		wanted[id] = true
	}
	return parent.run(ctx, a, func(ctx context.Context, cfg kafka.Config) error {
		if c.All {
			letters, err := c.found(ctx, cfg)
			if err != nil {
				return err
			}
			for _, l := range letters {
				if id, _ := kafka.ParseDeadLetterID(l.ID); l.CameBackAs == "" && l.Topic != "" && !l.LeftOut {
					wanted[id] = true
				}
			}
		}
		return c.redrive(ctx, a.stdout, cfg, wanted)
	})
}

// redrive puts one after the other back: those of one conversation keep their order.
func (c *deadLetterRedriveCmd) redrive(ctx context.Context, out io.Writer, cfg kafka.Config, wanted map[kafka.DeadLetterID]bool) error {
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg}, nil) // it encodes nothing
	if err != nil {
		return err
	}
	defer producer.Close(context.WithoutCancel(ctx)) //nolint:errcheck // each record was waited for
	did, done := "put back", 0
	if c.DryRun {
		did = "would put back"
	}
	err = kafka.ReadDeadLetters(ctx, cfg, func(d kafka.DeadLetter) error {
		if !wanted[d.ID] {
			return nil
		}
		if !c.DryRun {
			if err := producer.Redrive(ctx, d); err != nil {
				return fmt.Errorf("%s: %w", d.ID, err)
			}
		}
		delete(wanted, d.ID)
		done++
		_, err := fmt.Fprintf(out, "%s: %s, key %s\n", d.ID, d.Topic, printable(d.Key))
		return err
	})
	fmt.Fprintf(out, "%s: %d\n", did, done)
	if err != nil || len(wanted) == 0 {
		return err
	}
	var missing []string
	for id := range wanted {
		missing = append(missing, id.String())
	}
	slices.Sort(missing)
	return fmt.Errorf("%w: %s", kafka.ErrNoDeadLetter, strings.Join(missing, ", "))
}

func deadLetterID(text string) (kafka.DeadLetterID, error) {
	id, ok := kafka.ParseDeadLetterID(text)
	if !ok {
		return id, &usageError{fmt.Errorf("%q is no dead letter's id; write PARTITION/OFFSET, as `dozaar deadletter list` prints it", text)}
	}
	return id, nil
}
