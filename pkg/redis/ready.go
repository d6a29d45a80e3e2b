package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

var (
	// errOther is a Redis that is there, and another kind than the settings say.
	errOther = errors.New("it is of another kind")
	// errReplica is one that may be a master again.
	errReplica = errors.New("it is a replica, which takes no writes: name its master")
)

// Ready asks for an answer of a Redis that can serve. The error of one that is away is any that Refused does not know.
func Ready(ctx context.Context, client Client) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return err
	}
	if _, cluster := client.(*goredis.ClusterClient); cluster {
		return nil // which finds the nodes that serve by itself
	}
	return fits(ctx, client)
}

// fits asks what it is that has answered: a replica, a Sentinel and each node of a cluster answer a PING too.
func fits(ctx context.Context, client Client) error {
	said, err := client.Do(ctx, "HELLO", "2").Slice()
	if err != nil {
		if answer := goredis.Error(nil); errors.As(err, &answer) {
			return nil // it does not say
		}
		return err
	}
	about := map[any]any{}
	for i := 0; i+1 < len(said); i += 2 {
		about[said[i]] = said[i+1]
	}
	switch {
	case about["mode"] == "sentinel":
		return fmt.Errorf("%w: a Sentinel; set DOZAAR_REDIS_MASTER to the name of the master that it knows", errOther)
	case about["mode"] == "cluster":
		return fmt.Errorf("%w: a cluster's node; set DOZAAR_REDIS_CLUSTER", errOther)
	case about["role"] == "replica" || about["role"] == "slave":
		return errReplica
	}
	return nil
}

// Refused tells a Redis that is there and does not let us in, has no such database or is of another kind, from one that is
// away, is still loading or is choosing a master.
func Refused(err error) bool {
	if errors.Is(err, errOther) {
		return true
	}
	var answer goredis.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, refusal := range []string{
		"NOAUTH", "WRONGPASS", "NOPERM", "ERR DB index", "ERR invalid DB", "ERR AUTH", "ERR Client sent AUTH",
		"ERR This instance has cluster support disabled", "ERR unknown command", // no cluster's node; no Sentinel
	} {
		if strings.HasPrefix(answer.Error(), refusal) {
			return true
		}
	}
	return false
}
