package redis

import (
	"context"
	"fmt"
	"log/slog"
)

// libraryLog hands the client library's lines to slog. Its lines have no levels; none of them is news
// to whoever watches dozaar_redis_up.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...), "component", "go-redis")
}
