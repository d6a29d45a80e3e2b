package presence

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

// DirectoryConfig makes a Directory. Redis is required; TTL and Settle are as in LeasesConfig.
type DirectoryConfig struct {
	Redis  redis.UniversalClient
	TTL    time.Duration
	Settle time.Duration
	Logger *slog.Logger
}

// Directory answers who is where. Its methods may be called at the same time.
type Directory struct {
	cfg DirectoryConfig
	log *slog.Logger
}

// NewDirectory returns a directory.
func NewDirectory(cfg DirectoryConfig) *Directory {
	cfg.TTL = cmp.Or(cfg.TTL, DefaultTTL)
	cfg.Settle = cmp.Or(cfg.Settle, DefaultSettle)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Directory{cfg: cfg, log: cfg.Logger}
}

// maxLookup bounds how many keys one script reads.
const maxLookup = 500

// Owners answers the gateway instances with a device of each user and with a socket in each
// conversation's room; who has none is absent. One pipeline. An error is chat.ErrUnavailable.
func (d *Directory) Owners(ctx context.Context, users, convs []chat.ID) (byUser, byConv map[chat.ID][]string, err error) {
	var keys []sharedKey
	for _, u := range users {
		keys = append(keys, sharedKey{shardOf(u), leasesKey(u)})
	}
	for _, c := range convs {
		keys = append(keys, sharedKey{shardOf(c), roomKey(c)})
	}
	live, err := d.live(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	byUser, byConv = map[chat.ID][]string{}, map[chat.ID][]string{}
	for _, u := range users {
		if at := live[leasesKey(u)]; len(at) > 0 {
			byUser[u] = at
		}
	}
	for _, c := range convs {
		if at := live[roomKey(c)]; len(at) > 0 {
			byConv[c] = at
		}
	}
	return byUser, byConv, nil
}

// Listeners answers where a change of the user is to be told: the gateways of their peers, and those where somebody
// has asked about the user lately. One pipeline. An error is chat.ErrUnavailable.
func (d *Directory) Listeners(ctx context.Context, user chat.ID, peers []chat.ID) (byPeer map[chat.ID][]string, asking []string, err error) {
	keys := []sharedKey{{shardOf(user), askersKey(user)}}
	for _, p := range peers {
		keys = append(keys, sharedKey{shardOf(p), leasesKey(p)})
	}
	live, err := d.live(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	byPeer = map[chat.ID][]string{}
	for _, p := range peers {
		if at := live[leasesKey(p)]; len(at) > 0 {
			byPeer[p] = at
		}
	}
	return byPeer, live[askersKey(user)], nil
}

// Asked notes that somebody at a gateway has asked about users: for so long it is told of their changes. Call it before
// asking for their statuses, so that no change falls between.
func (d *Directory) Asked(ctx context.Context, gateway string, users []chat.ID, lasting time.Duration) error {
	if len(users) == 0 {
		return nil
	}
	homes := map[int][]string{}
	for _, u := range users {
		homes[shardOf(u)] = append(homes[shardOf(u)], askersKey(u))
	}
	var calls []call
	for _, keys := range homes {
		calls = append(calls, call{script: askedScript, keys: keys, args: []any{gateway, lasting.Milliseconds()}})
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	_, err := runAll(ctx, d.cfg.Redis, calls)
	return err
}

// sharedKey is a set of gateways with the ends of their leases.
type sharedKey struct {
	shard int
	key   string
}

// live answers, by key, the gateways whose lease lives.
func (d *Directory) live(ctx context.Context, keys []sharedKey) (map[string][]string, error) {
	homes := map[int][]string{}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if !seen[k.key] {
			seen[k.key] = true
			homes[k.shard] = append(homes[k.shard], k.key)
		}
	}
	var calls []call
	for _, all := range homes {
		for part := range slices.Chunk(all, maxLookup) {
			calls = append(calls, call{script: ownersScript, keys: part})
		}
	}
	found := make(map[string][]string, len(keys))
	if len(calls) == 0 {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmds, err := runAll(ctx, d.cfg.Redis, calls)
	if err != nil {
		return nil, err
	}
	for c, cmd := range cmds {
		reply, err := cmd.Slice()
		if err != nil || len(reply) != len(calls[c].keys) {
			return nil, fmt.Errorf("presence: owners answered %v: %w", reply, err)
		}
		for i, key := range calls[c].keys {
			found[key] = stringsOf(reply[i])
		}
	}
	return found, nil
}

// Statuses answers for every user whether they are online, as others see them. What Redis cannot say is unknown:
// while it is away, and for a user without a live lease while leases are being written anew after it lost
// them. So the map is complete and true also where an error (chat.ErrUnavailable) says why it knows
// little. Of whom hidden is true it answers as for an id that does not exist; nil: of nobody.
func (d *Directory) Statuses(ctx context.Context, users []chat.ID, hidden func(chat.ID) bool) (map[chat.ID]chat.PresenceStatus, error) {
	statuses := make(map[chat.ID]chat.PresenceStatus, len(users))
	for _, u := range users {
		statuses[u] = chat.PresenceStatus{}
	}
	err := d.look(ctx, statusesScript, []any{d.cfg.TTL.Milliseconds()}, users, hidden, func(u chat.ID, online, seen int64) {
		statuses[u] = status(online, seen)
	})
	return statuses, err
}

// Attendances answers for every user whether and when they were there. It fails (chat.ErrUnavailable) where that
// cannot be said of all of them: while Redis is away, or has just lost its data.
func (d *Directory) Attendances(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Attendance, error) {
	found := make(map[chat.ID]chat.Attendance, len(users))
	var unknown error
	err := d.look(ctx, attendScript, nil, users, nil, func(u chat.ID, there, came int64) {
		a := chat.Attendance{There: there == 1}
		if came > 0 {
			a.Came = time.UnixMilli(came).UTC()
		}
		if there < 0 {
			unknown = fmt.Errorf("presence: %w: leases are being written again", chat.ErrUnavailable)
		}
		found[u] = a
	})
	return found, cmp.Or(err, unknown)
}

// look runs a script that answers two numbers for each user, on their leases and state.
func (d *Directory) look(ctx context.Context, script *redis.Script, args []any, users []chat.ID, hidden func(chat.ID) bool, take func(user chat.ID, a, b int64)) error {
	homes := map[int][]chat.ID{}
	seen := make(map[chat.ID]bool, len(users))
	for _, u := range users {
		if !seen[u] {
			seen[u] = true
			homes[shardOf(u)] = append(homes[shardOf(u)], u)
		}
	}
	if len(users) == 0 {
		return nil
	}
	var calls []call
	var asked [][]chat.ID
	for shard, all := range homes {
		for part := range slices.Chunk(all, maxLookup) {
			c := call{
				script: script,
				keys:   []string{clockKey(shard)},
				args:   append([]any{gapFor(d.cfg.TTL).Milliseconds(), d.cfg.Settle.Milliseconds()}, args...),
			}
			for _, u := range part {
				if hidden != nil && hidden(u) {
					c.keys = append(c.keys, nobodysLeases(shard), nobodysState(shard))
				} else {
					c.keys = append(c.keys, leasesKey(u), stateKey(u))
				}
			}
			calls, asked = append(calls, c), append(asked, part)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmds, err := runAll(ctx, d.cfg.Redis, calls)
	for c, cmd := range cmds {
		reply, replyErr := cmd.Int64Slice()
		if replyErr != nil || len(reply) != 2*len(asked[c]) {
			continue
		}
		for i, u := range asked[c] {
			take(u, reply[2*i], reply[2*i+1])
		}
	}
	return err
}

func status(online, seen int64) (s chat.PresenceStatus) {
	if online >= 0 {
		is := online == 1
		s.Online = &is
	}
	if seen > 0 {
		s.LastSeen = time.UnixMilli(seen).UTC()
	}
	return s
}

// Hide has others see a user as offline from now on, also where the user's gateway has died or they are within the grace. A
// sweeper announces it. The gateways at which the user is must be told, too: they show the user again if they know no better.
func (d *Directory) Hide(ctx context.Context, user chat.ID) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	shard := shardOf(user)
	_, err := runAll(ctx, d.cfg.Redis, []call{{
		script: hideScript,
		keys:   []string{clockKey(shard), untoldKey(shard), stateKey(user)},
		args:   []any{gapFor(d.cfg.TTL).Milliseconds(), d.cfg.Settle.Milliseconds(), 0, user.String()},
	}})
	return err
}

// Newest answers the version of a user's last change; 0 where Redis knows of none.
func (d *Directory) Newest(ctx context.Context, user chat.ID) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	version, err := d.cfg.Redis.HGet(ctx, stateKey(user), "version").Int64()
	if absence(err) != nil {
		return 0, fmt.Errorf("presence: the last change: %w: %w", chat.ErrUnavailable, err)
	}
	return version, nil
}

// Told confirms that a change was announced. A change that nobody confirms is announced again by a
// sweeper.
func (d *Directory) Told(ctx context.Context, change chat.PresenceChange) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	user := change.UserID
	err := toldScript.Run(ctx, d.cfg.Redis, []string{untoldKey(shardOf(user)), stateKey(user)}, user.String(), change.Version).Err()
	if err != nil {
		return fmt.Errorf("presence: confirm a change: %w: %w", chat.ErrUnavailable, err)
	}
	return nil
}

// Missed is for a gateway that may not have been told everything. It says what it was told last of each user, and whoever is not
// so any more is announced by a sweeper, also where Redis has lost that they had ever been online. It answers those of whom
// nothing can be said yet; they are to be asked about again. An error is chat.ErrUnavailable.
func (d *Directory) Missed(ctx context.Context, told []chat.PresenceChange) (unknown []chat.PresenceChange, err error) {
	homes := map[int][]chat.PresenceChange{}
	for _, change := range told {
		shard := shardOf(change.UserID)
		homes[shard] = append(homes[shard], change)
	}
	var calls []call
	var asked [][]chat.PresenceChange
	for shard, all := range homes {
		for part := range slices.Chunk(all, maxScript) {
			c := call{
				script: missedScript,
				keys:   []string{clockKey(shard), dueKey(shard), untoldKey(shard)},
				args:   []any{gapFor(d.cfg.TTL).Milliseconds(), d.cfg.Settle.Milliseconds()},
			}
			for _, change := range part {
				c.keys = append(c.keys, leasesKey(change.UserID), stateKey(change.UserID))
				online := 0
				if change.Online {
					online = 1
				}
				c.args = append(c.args, change.UserID.String(), online, change.Version)
			}
			calls, asked = append(calls, c), append(asked, part)
		}
	}
	if len(calls) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmds, err := runAll(ctx, d.cfg.Redis, calls)
	for c, cmd := range cmds {
		reply, replyErr := cmd.Int64Slice()
		if replyErr != nil {
			unknown = append(unknown, asked[c]...)
			continue
		}
		for _, i := range reply {
			unknown = append(unknown, asked[c][i-1])
		}
	}
	return unknown, err
}

func stringsOf(reply any) []string {
	list, _ := reply.([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
