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
	byUser, byConv = map[chat.ID][]string{}, map[chat.ID][]string{}
	keys := make(map[lease]string, len(users)+len(convs))
	for _, u := range users {
		keys[lease{id: u}] = leasesKey(u)
	}
	for _, c := range convs {
		keys[lease{room: true, id: c}] = roomKey(c)
	}
	if len(keys) == 0 {
		return byUser, byConv, nil
	}
	homes := map[int][]lease{}
	for k := range keys {
		homes[shardOf(k.id)] = append(homes[shardOf(k.id)], k)
	}
	var calls []call
	var asked [][]lease
	for _, all := range homes {
		for part := range slices.Chunk(all, maxLookup) {
			c := call{script: ownersScript}
			for _, k := range part {
				c.keys = append(c.keys, keys[k])
			}
			calls, asked = append(calls, c), append(asked, part)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmds, err := runAll(ctx, d.cfg.Redis, calls)
	if err != nil {
		return nil, nil, err
	}
	for c, cmd := range cmds {
		reply, err := cmd.Slice()
		if err != nil || len(reply) != len(asked[c]) {
			return nil, nil, fmt.Errorf("presence: owners answered %v: %w", reply, err)
		}
		for i, k := range asked[c] {
			gateways := stringsOf(reply[i])
			switch {
			case len(gateways) == 0:
			case k.room:
				byConv[k.id] = gateways
			default:
				byUser[k.id] = gateways
			}
		}
	}
	return byUser, byConv, nil
}

// Statuses answers for every user whether they are online. What Redis cannot say is unknown: while it
// is away, and for a user without a live lease while leases are being written anew after it lost
// them. So the map is complete and true also where an error (chat.ErrUnavailable) says why it knows
// little.
func (d *Directory) Statuses(ctx context.Context, users []chat.ID) (map[chat.ID]chat.PresenceStatus, error) {
	statuses := make(map[chat.ID]chat.PresenceStatus, len(users))
	homes := map[int][]chat.ID{}
	for _, u := range users {
		if _, seen := statuses[u]; !seen {
			statuses[u] = chat.PresenceStatus{}
			homes[shardOf(u)] = append(homes[shardOf(u)], u)
		}
	}
	if len(users) == 0 {
		return statuses, nil
	}
	var calls []call
	var asked [][]chat.ID
	for shard, all := range homes {
		for part := range slices.Chunk(all, maxLookup) {
			c := call{
				script: statusesScript,
				keys:   []string{clockKey(shard)},
				args:   []any{gapFor(d.cfg.TTL).Milliseconds(), d.cfg.Settle.Milliseconds(), d.cfg.TTL.Milliseconds()},
			}
			for _, u := range part {
				c.keys = append(c.keys, leasesKey(u), stateKey(u))
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
			statuses[u] = status(reply[2*i], reply[2*i+1])
		}
	}
	return statuses, err
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
