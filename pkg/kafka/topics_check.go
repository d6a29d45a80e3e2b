package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrTopics is wrapped by what the checks find wrong, and by what EnsureTopics will not mend by itself.
var ErrTopics = errors.New("the topics are not as they must be")

// Fault is one thing that is wrong with a topic or a group, and what to do.
type Fault struct {
	error
	Bearable bool // a role works in spite of it
	mended   bool // EnsureTopics mends it
	unknown  bool // the topic is new to the store: EnsureTopics' caller is about to change that
}

// Unwrap gives the sentinel, where there is one.
func (f Fault) Unwrap() error { return f.error }

// TopicsError is every fault. It is told in one line: who wants them all asks for them.
type TopicsError struct{ Faults []Fault }

func (e *TopicsError) Error() string {
	more := ""
	if n := len(e.Faults) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more: see `dozaar topics check`)", n)
	}
	return e.Faults[0].Error() + more
}

// Unwrap gives ErrTopics and the faults.
func (e *TopicsError) Unwrap() []error {
	all := []error{ErrTopics}
	for _, f := range e.Faults {
		all = append(all, f)
	}
	return all
}

func faultsError(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &TopicsError{faults}
}

func needed(faults []Fault) []Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Bearable })
}

// TopicState is what a topic is.
type TopicState struct {
	chat.TopicIdentity // with epoch 0
	Replication        int
	Configs            map[string]string // those that topics.yaml speaks of
}

// Retention is how long records are kept, or what the brokers say of it where that is no number.
func (s TopicState) Retention() string {
	ms, err := strconv.ParseInt(s.Configs["retention.ms"], 10, 64)
	if err != nil || ms < 0 {
		return cmp.Or(s.Configs["retention.ms"], "?")
	}
	return (time.Duration(ms) * time.Millisecond).String()
}

func identitiesOf(states []TopicState) []chat.TopicIdentity {
	identities := make([]chat.TopicIdentity, len(states))
	for i, s := range states {
		identities[i] = s.TopicIdentity
	}
	return identities
}

// check compares the cluster with what is asked for.
func (t *topics) check(ctx context.Context) (states []TopicState, faults []Fault, err error) {
	details, err := t.admin.ListTopics(ctx, t.names()...)
	if err != nil {
		return nil, nil, away(err)
	}
	configs, err := describe(ctx, t.admin, t.names())
	if err != nil {
		return nil, nil, err
	}
	wrong := func(bearable bool, format string, args ...any) {
		faults = append(faults, Fault{error: fmt.Errorf(format, args...), Bearable: bearable})
	}
	for _, topic := range t.cfg.Topics {
		d, ok := details[topic.Name]
		switch {
		case !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			if was, known := t.cfg.Known[topic.Name]; known {
				wrong(false, "%w", deletedTopic(was))
			} else {
				wrong(false, "topic %s is missing; run `dozaar topics apply`", topic.Name)
			}
			faults[len(faults)-1].mended = true
			continue
		case d.Err != nil:
			return states, nil, fmt.Errorf("%s: %w", topic.Name, passing(d.Err))
		}
		is := identityOf(d)
		states = append(states, TopicState{is, replicas(d), configs[topic.Name]})
		was, known := t.cfg.Known[topic.Name]
		if !known && t.cfg.Known != nil {
			wrong(false, "the store does not know topic %s; run `dozaar topics apply`", topic.Name)
			faults[len(faults)-1].unknown = true
		}
		switch want := t.partitions(topic); {
		case known && other(was, is):
			wrong(false, "%w", otherTopic(was, is))
		case is.Partitions != want:
			wrong(false, "topic %s has %d partitions and should have %d; a number of partitions is never changed in place, because keys would move to other partitions: set DOZAAR_KAFKA_PARTITIONS=%d, or, when every record is consumed, make the topic again with %d and run `dozaar topics adopt`",
				topic.Name, is.Partitions, want, is.Partitions, want)
		}
		if want := t.replication(topic); replicas(d) < int(want) {
			wrong(true, "topic %s has %d replicas and there are brokers for %d; reassign its partitions with Kafka's own tools", topic.Name, replicas(d), want)
		}
	}
	for _, d := range t.differences(details, configs) {
		wrong(d.bearable(), "topic %s has %s = %q and should have %q; run `dozaar topics apply`", d.topic, d.key, d.have, d.want)
		faults[len(faults)-1].mended = true
	}
	groups, err := t.checkGroups(ctx, details)
	return states, append(faults, groups...), err
}

func identityOf(d kadm.TopicDetail) chat.TopicIdentity {
	return chat.TopicIdentity{Topic: d.Topic, ID: d.ID.String(), Partitions: int32(len(d.Partitions))}
}

func replicas(d kadm.TopicDetail) int {
	least := -1
	for _, p := range d.Partitions {
		if n := len(p.Replicas); least < 0 || n < least {
			least = n
		}
	}
	return max(least, 0)
}

type difference struct{ topic, key, have, want string }

// bearable tells what an operator may have changed for a while from what loses or refuses records.
func (d difference) bearable() bool {
	switch d.key {
	case "cleanup.policy":
		return false
	case "max.message.bytes":
		have, err := strconv.ParseInt(d.have, 10, 64)
		want, _ := strconv.ParseInt(d.want, 10, 64)
		return err == nil && have >= want
	}
	return true
}

// describe gives topics' configuration, of those that are there.
func describe(ctx context.Context, admin *kadm.Client, names []string) (map[string]map[string]string, error) {
	described, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe the topics' configuration: %w", away(err))
	}
	all := map[string]map[string]string{}
	for _, name := range names {
		resource, err := described.On(name, nil)
		if err == nil {
			err = resource.Err
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("describe the configuration of %s: %w", name, passing(err))
		}
		all[name] = map[string]string{}
		for _, c := range resource.Configs {
			all[name][c.Key] = c.MaybeValue()
		}
	}
	return all, nil
}

// differences are in the order of topics and keys.
func (t *topics) differences(details kadm.TopicDetails, configs map[string]map[string]string) (all []difference) {
	for _, topic := range t.cfg.Topics {
		have, there := configs[topic.Name]
		if !there {
			continue // told by check
		}
		for key, want := range t.configs(topic, replicas(details[topic.Name])) {
			if have[key] != want {
				all = append(all, difference{topic.Name, key, have[key], want})
			}
		}
	}
	slices.SortFunc(all, func(a, b difference) int { return strings.Compare(a.topic+a.key, b.topic+b.key) })
	return all
}
