package redis

import (
	"context"
	"errors"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Ready asks for an answer. The error of a Redis that is away is any that Refused does not know.
func Ready(ctx context.Context, client Client) error { return client.Ping(ctx).Err() }

// Refused tells a Redis that is there and does not let us in, or has no such database, from one that is away,
// is still loading or is choosing a master.
func Refused(err error) bool {
	var answer goredis.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, refusal := range []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR DB index", "ERR invalid DB", "ERR AUTH", "ERR Client sent AUTH"} {
		if strings.HasPrefix(answer.Error(), refusal) {
			return true
		}
	}
	return false
}
