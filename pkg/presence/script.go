package presence

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

// The scripts; each says in its head what it takes and answers.
var (
	//go:embed lua/prelude.lua
	preludeLua string
	//go:embed lua/check.lua
	checkLua string
	//go:embed lua/users.lua
	usersLua string
	//go:embed lua/rooms.lua
	roomsLua string
	//go:embed lua/owners.lua
	ownersLua string
	//go:embed lua/statuses.lua
	statusesLua string
	//go:embed lua/attendances.lua
	attendancesLua string
	//go:embed lua/asked.lua
	askedLua string
	//go:embed lua/hide.lua
	hideLua string
	//go:embed lua/due.lua
	dueLua string
	//go:embed lua/expire.lua
	expireLua string
	//go:embed lua/claim.lua
	claimLua string
	//go:embed lua/told.lua
	toldLua string
	//go:embed lua/missed.lua
	missedLua string

	checkScript    = redis.NewScript(preludeLua + checkLua)
	usersScript    = redis.NewScript(preludeLua + usersLua)
	roomsScript    = redis.NewScript(preludeLua + roomsLua)
	ownersScript   = redis.NewScript(preludeLua + ownersLua)
	statusesScript = redis.NewScript(preludeLua + statusesLua)
	attendScript   = redis.NewScript(preludeLua + attendancesLua)
	askedScript    = redis.NewScript(preludeLua + askedLua)
	hideScript     = redis.NewScript(preludeLua + hideLua)
	dueScript      = redis.NewScript(preludeLua + dueLua)
	expireScript   = redis.NewScript(preludeLua + expireLua)
	claimScript    = redis.NewScript(preludeLua + claimLua)
	toldScript     = redis.NewScript(toldLua)
	missedScript   = redis.NewScript(preludeLua + missedLua)
)

// call is one run of a script, on the keys of one shard.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

// runAll runs the calls in one pipeline; a server that does not know a script yet is sent its text in
// a second one. Each command has its own error; the error that is returned, chat.ErrUnavailable, is
// the first of them.
func runAll(ctx context.Context, client redis.UniversalClient, calls []call) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(calls))
	pipe := client.Pipeline()
	for i, c := range calls {
		cmds[i] = c.script.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, err := pipe.Exec(ctx)
	if err == nil {
		return cmds, nil
	}
	pipe = client.Pipeline()
	for i, c := range calls {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			cmds[i] = c.script.Eval(ctx, pipe, c.keys, c.args...)
		}
	}
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(ctx)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return cmds, fmt.Errorf("presence: %w: %w", chat.ErrUnavailable, err)
		}
	}
	return cmds, nil
}
