package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// kind is one way to break things.
type kind struct {
	name string
	set  string // of engines
	what string // for people
	// total: while the fault lasts nothing can go on as promised, so recovery counts from the healing and not from the fault.
	total  bool
	within time.Duration // recovery should take no longer; 0: nothing is said of it
	// conflicts may be told of through what is broken here, and the word be lost.
	losesConflicts bool
	root           bool                                      // it needs root
	wrongClock     bool                                      // it needs the program whose clock is wrong
	before         func(ctx context.Context, s *stage) error // before the product starts; may be nil
	do             func(ctx context.Context, s *stage) error // makes the fault and heals it
}

const (
	pause     = 30 * time.Second // of a process that is stopped, or a network that is cut
	others    = 10 * time.Second // within which others take over
	restarted = 15 * time.Second // after which one that was killed is started again: the others must have taken over by then
)

// kinds are all there are.
func kinds() []kind {
	var all []kind
	for _, role := range []string{gateway, deliver, presence} {
		all = append(all, kind{
			name: "kill-" + role, set: single, within: others,
			what: fmt.Sprintf("SIGKILL of one %s of two, started again after %s", role, restarted),
			do: func(ctx context.Context, s *stage) error {
				one := s.product.named(role + "-1")
				s.fault("SIGKILL of %s", one.name)
				return s.doAll(ctx, one.kill, s.pause(ctx, restarted), s.start(one))
			},
		}, kind{
			name: "stop-" + role, set: single, within: others, total: role == gateway,
			what: fmt.Sprintf("SIGSTOP of one %s of two for %s: a zombie that wakes up", role, pause),
			do: func(ctx context.Context, s *stage) error {
				one := s.product.named(role + "-1")
				s.fault("SIGSTOP of %s", one.name)
				return s.doAll(ctx, s.send(one, syscall.SIGSTOP), s.pause(ctx, pause), s.send(one, syscall.SIGCONT), s.healed("SIGCONT of %s", one.name))
			},
		})
	}
	all = append(all,
		kind{
			name: "calm", set: single, within: others, what: "nothing, for 20 s",
			do: func(ctx context.Context, s *stage) error {
				s.fault("nothing")
				return wait(ctx, 20*time.Second)
			},
		},
		kind{
			name: "crash-all", set: single, total: true, losesConflicts: true,
			what: "SIGKILL of every process of the product at once, started again at once",
			do: func(ctx context.Context, s *stage) error {
				s.fault("SIGKILL of everything")
				for _, one := range s.product.processes {
					if err := one.kill(); err != nil {
						return err
					}
				}
				return s.doAll(ctx, s.start(s.product.processes...))
			},
		},
		kind{
			name: "rolling-restart", set: single, total: true,
			what: "every process told to end and started again, one after the other",
			do: func(ctx context.Context, s *stage) error {
				for _, one := range s.product.processes {
					s.fault("SIGTERM of %s", one.name)
					if err := s.doAll(ctx, one.stop, s.start(one)); err != nil {
						return err
					}
				}
				return nil
			},
		},
		kind{
			name: "rebalance-storm", set: single, total: true,
			what: "for 30 s, delivers that join and leave every three seconds, by SIGTERM and SIGKILL",
			do:   storm,
		},
		engineAway("kill-kafka", single, "kafka-1", "kill", "start", 0, 0, "SIGKILL of the only broker, started again at once"),
		engineAway("stop-kafka", single, "kafka-1", "pause", "resume", pause, 0, "SIGSTOP of the only broker for 30 s"),
		engineAway("kill-cassandra", single, "cassandra-1", "kill", "start", 0, 0, "SIGKILL of the only Cassandra node, started again at once"),
		engineAway("stop-cassandra", single, "cassandra-1", "pause", "resume", pause, 0, "SIGSTOP of the only Cassandra node for 30 s"),
		engineAway("cassandra-away", single, "cassandra-1", "stop", "start", time.Minute, 0, "Cassandra away for a minute: sends go on, all arrives after"),
		engineAway("kill-redis", single, "redis-1", "kill", "start", 0, 0, "SIGKILL of Redis, started again at once, empty"),
		engineAway("stop-redis", single, "redis-1", "pause", "resume", pause, 0, "SIGSTOP of Redis for 30 s"),
		kind{
			name: "empty-redis", set: single, within: others, losesConflicts: true, what: "FLUSHALL: Redis goes on, and has forgotten everything",
			do: func(ctx context.Context, s *stage) error {
				s.fault("FLUSHALL")
				return s.engines.redis(ctx, "FLUSHALL")
			},
		},
		engineAway("kill-broker", cluster, "kafka-", "kill", "start", restarted, others, "SIGKILL of one broker of three, started again after 15 s"),
		engineAway("stop-broker", cluster, "kafka-", "pause", "resume", pause, others, "SIGSTOP of one broker of three for 30 s"),
		engineAway("kill-cassandra-node", cluster, "cassandra-", "kill", "start", restarted, others, "SIGKILL of one Cassandra node of three, started again after 15 s"),
		engineAway("stop-cassandra-node", cluster, "cassandra-", "pause", "resume", pause, others, "SIGSTOP of one Cassandra node of three for 30 s"),
	)
	return append(append(append(all, networkKinds()...), clockKinds()...), diskKind())
}

// engineAway takes one node away and brings it back after a while. A name that ends in a hyphen is one of three nodes.
func engineAway(name, set, node, away, back string, length, within time.Duration, what string) kind {
	return kind{
		name: name, set: set, what: what, within: within, total: set == single, losesConflicts: strings.HasPrefix(node, "redis"),
		do: func(ctx context.Context, s *stage) error {
			victim := node
			if strings.HasSuffix(node, "-") {
				victim = fmt.Sprintf("%s%d", node, 1+s.random.IntN(3))
			}
			s.fault("%s %s", away, victim)
			return s.doAll(ctx,
				func() error { return s.engines.script(ctx, away, victim) },
				s.pause(ctx, length),
				func() error { return s.engines.script(ctx, back, victim) },
				s.healed("%s %s", back, victim))
		},
	}
}

// storm adds a deliver, and takes one away, every few seconds.
func storm(ctx context.Context, s *stage) error {
	s.fault("delivers come and go")
	for n := range 10 {
		delivers := s.product.of(deliver)
		one := delivers[s.random.IntN(len(delivers))]
		var err error
		switch {
		case n%2 == 0:
			if one, err = s.product.add(fmt.Sprintf("%s-%d", deliver, 3+n/2), deliver); err == nil {
				err = one.begin()
			}
		case !one.runs():
			err = one.begin()
		case s.random.IntN(2) == 0:
			err = one.kill()
		default:
			err = one.stop()
		}
		if err != nil {
			return err
		}
		if err := s.doAll(ctx, s.pause(ctx, 3*time.Second)); err != nil {
			return err
		}
	}
	return s.doAll(ctx, s.start(s.product.named("deliver-1"), s.product.named("deliver-2")))
}

// stage is where a round plays.
type stage struct {
	engines *engines
	product *product
	random  *rand.Rand
	note    func(string)
	undoing []func() error // last first, once the product has stopped

	link *link // where the kind has one
}

func (s *stage) undo(do func() error) { s.undoing = append(s.undoing, do) }

// The words with which remarks of a history begin.
const (
	faultMark = "fault: "
	healMark  = "healed: "
)

func (s *stage) fault(format string, args ...any) { s.note(faultMark + fmt.Sprintf(format, args...)) }

func (s *stage) healed(format string, args ...any) func() error {
	return func() error {
		s.note(healMark + fmt.Sprintf(format, args...))
		return nil
	}
}

// doAll takes all steps, also when one fails or the run is interrupted: the later ones heal.
func (s *stage) doAll(ctx context.Context, steps ...func() error) error {
	var failed error
	for _, step := range steps {
		failed = errors.Join(failed, step())
	}
	return errors.Join(failed, context.Cause(ctx))
}

func (s *stage) pause(ctx context.Context, d time.Duration) func() error {
	return func() error { return wait(ctx, d) }
}

func (s *stage) send(one *process, signal syscall.Signal) func() error {
	return func() error { return one.signal(signal) }
}

// start starts processes and notes when all are ready.
func (s *stage) start(processes ...*process) func() error {
	return func() error {
		for _, one := range processes {
			if err := one.begin(); err != nil {
				return err
			}
		}
		for _, one := range processes {
			if err := one.ready(context.Background()); err != nil {
				return err
			}
		}
		s.note(healMark + strings.Join(processNames(processes), ", ") + " ready again")
		return nil
	}
}

func processNames(processes []*process) (names []string) {
	for _, one := range processes {
		names = append(names, one.name)
	}
	return names
}
