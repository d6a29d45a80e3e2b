package presence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

const (
	maxPipeline = 1000 // leases written in one pipeline
	maxScript   = 100  // leases written by one script: Redis does nothing else meanwhile
)

// job is a lease to be written as it is wished, and the turn of that wish.
type job struct {
	lease lease
	turn  uint64
	first bool // Connect: a change is for its caller to announce
}

// outcome is what Redis said of a job.
type outcome struct {
	change *chat.PresenceChange
	lost   bool // the lease was not there though Redis had confirmed it
}

// write writes at most maxPipeline leases. If a wish changes while it is being written, nobody can
// know which of two writes came last, so it is written again. What could not be written is due now.
func (l *Leases) write(ctx context.Context, jobs []job) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	outcomes := make([]outcome, len(jobs))
	pending := make([]int, len(jobs))
	for i := range jobs {
		pending[i] = i
	}
	for len(pending) > 0 {
		changed, err := l.writeOnce(ctx, jobs, pending, outcomes)
		if err != nil {
			for _, i := range changed {
				l.table.retry(jobs[i].lease, l.cfg.Clock())
			}
			return outcomes, err
		}
		var closed []lease
		pending = pending[:0]
		for _, i := range changed {
			h, ok := l.table.get(jobs[i].lease)
			switch {
			case ok:
				jobs[i].turn, jobs[i].first = h.turn, false
				pending = append(pending, i)
			case jobs[i].lease.room:
				closed = append(closed, jobs[i].lease)
			}
		}
		if len(closed) > 0 {
			if err := l.takeOut(ctx, closed); err != nil {
				l.log.Debug("presence: a room that was closed ends with its lease", "error", err)
			}
		}
	}
	return outcomes, nil
}

// writeOnce writes the pending jobs and answers those whose wish has changed meanwhile.
func (l *Leases) writeOnce(ctx context.Context, jobs []job, pending []int, outcomes []outcome) (changed []int, err error) {
	started := l.cfg.Clock()
	groups := map[group][]int{}
	before := make(map[int]held, len(pending))
	for _, i := range pending {
		h, ok := l.table.get(jobs[i].lease)
		if !ok || h.turn != jobs[i].turn {
			changed = append(changed, i)
			continue
		}
		before[i] = h
		g := group{jobs[i].lease.room, shardOf(jobs[i].lease.id)}
		groups[g] = append(groups[g], i)
	}
	var calls []call
	var members [][]int
	var homes []int
	for g, all := range groups {
		for part := range slices.Chunk(all, maxScript) {
			if g.room {
				calls = append(calls, l.roomsCall(g.shard, jobs, part, before))
			} else {
				calls = append(calls, l.usersCall(g.shard, jobs, part, before, started))
			}
			members, homes = append(members, part), append(homes, g.shard)
		}
	}
	if len(calls) == 0 {
		return changed, nil
	}
	cmds, err := runAll(ctx, l.cfg.Redis, calls)
	for c, cmd := range cmds {
		part := members[c]
		said, parseErr := l.parse(cmd, homes[c], jobs, part, before, outcomes)
		if parseErr != nil {
			err = cmp.Or(err, parseErr)
			for _, i := range part {
				l.table.retry(jobs[i].lease, l.cfg.Clock())
			}
			continue
		}
		for n, i := range part {
			if said[n] == wordGone {
				l.table.drop(jobs[i].lease, jobs[i].turn)
				continue
			}
			if !l.table.wrote(jobs[i].lease, jobs[i].turn, started, l.cfg.Clock()) {
				changed = append(changed, i)
			}
		}
	}
	return changed, err
}

// group is what one script can write.
type group struct {
	room  bool
	shard int
}

func (l *Leases) usersCall(shard int, jobs []job, part []int, before map[int]held, now time.Time) call {
	delay := time.Duration(0) // nobody but a sweeper will announce what a renewal finds
	if jobs[part[0]].first {
		delay = tellAfter
	}
	c := call{
		script: usersScript,
		keys:   []string{clockKey(shard), dueKey(shard), untoldKey(shard)},
		args: []any{
			gapFor(l.cfg.TTL).Milliseconds(), l.cfg.Settle.Milliseconds(), l.cfg.Instance,
			keepFor(l.cfg.TTL).Milliseconds(), delay.Milliseconds(),
		},
	}
	for _, i := range part {
		user, h := jobs[i].lease.id, before[i]
		w, ms := l.userWish(jobs[i], h, now)
		c.keys = append(c.keys, leasesKey(user), stateKey(user))
		c.args = append(c.args, user.String(), w, ms)
	}
	return c
}

// userWish is the script's word for a wish, and how long the lease shall last.
func (l *Leases) userWish(j job, h held, now time.Time) (word string, ms int64) {
	ttl := l.cfg.TTL.Milliseconds()
	switch {
	case h.wish == leave:
		word = "leave"
		if h.renewed.IsZero() || h.hidden && !h.hides {
			word = "withdraw"
		}
		return word, max(0, (l.cfg.Grace - now.Sub(h.since)).Milliseconds())
	case h.hides:
		return "vanish", ttl
	case h.wish == hide:
		return "hide", ttl
	case h.wish == guess:
		return "guess", ttl
	case j.first || h.shows:
		return "connect", ttl
	case h.renewed.IsZero() || now.Sub(h.renewed) >= l.cfg.TTL:
		// The lease may have run out and others may have been told so: if it was not there, that is news.
		return "renew", ttl
	case h.beats%extendEvery == 0:
		return "extend", ttl
	}
	return "quiet", ttl
}

func (l *Leases) roomsCall(shard int, jobs []job, part []int, before map[int]held) call {
	c := call{
		script: roomsScript,
		keys:   []string{clockKey(shard)},
		args: []any{
			gapFor(l.cfg.TTL).Milliseconds(), l.cfg.Settle.Milliseconds(), l.cfg.Instance,
			keepFor(l.cfg.TTL).Milliseconds(), l.cfg.TTL.Milliseconds(),
		},
	}
	for _, i := range part {
		word := "hold"
		if before[i].renewed.IsZero() || before[i].beats%extendEvery == 0 {
			word = "extend"
		}
		c.keys = append(c.keys, roomKey(jobs[i].lease.id))
		c.args = append(c.args, word)
	}
	return c
}

const (
	wordChange = "change"
	wordHid    = "hid"
	wordAdded  = "added"
	wordGone   = "gone"
)

// parse reads a script's answer into outcomes, and answers its word for each job of the part.
func (l *Leases) parse(cmd *redis.Cmd, shard int, jobs []job, part []int, before map[int]held, outcomes []outcome) ([]string, error) {
	reply, err := cmd.Slice()
	if err != nil || len(reply) < 2 || len(reply)%3 != 2 {
		return nil, fmt.Errorf("presence: a script answered %v: %w", reply, err)
	}
	generation, now := reply[0].(int64), reply[1].(int64)
	l.heard(shard, generation)
	said := make([]string, len(part))
	for r := 2; r < len(reply); r += 3 {
		n := int(reply[r].(int64)) - 1
		word, version := reply[r+1].(string), reply[r+2].(int64)
		i := part[n]
		said[n] = word
		outcomes[i].lost = word == wordChange || word == wordAdded
		outcomes[i].lost = outcomes[i].lost && before[i].wish.holds() && !before[i].renewed.IsZero()
		if word == wordChange || word == wordHid {
			outcomes[i].change = &chat.PresenceChange{
				UserID: jobs[i].lease.id, Online: word == wordChange, Version: version, At: time.UnixMilli(now).UTC(),
			}
		}
	}
	return said, nil
}
