package presence

import (
	"hash/fnv"
	"strconv"

	"github.com/dozaar/dozaar/pkg/chat"
)

// shards is how many hash slots the keys are spread over in Redis Cluster. Every process must agree
// on it, so it is no setting.
const shards = 32

// shardOf is where the keys of a user or of a room are.
func shardOf(id chat.ID) int {
	h := fnv.New32a()
	h.Write(id[:])
	return int(h.Sum32() % shards)
}

// keyIn names a key of a shard. The braces put all keys of a shard into one hash slot, so that one
// script changes a user's leases, state and place in the index at once.
func keyIn(shard int, name string) string {
	return "presence:{" + strconv.Itoa(shard) + "}:" + name
}

func clockKey(shard int) string  { return keyIn(shard, "clock") }
func dueKey(shard int) string    { return keyIn(shard, "due") }
func untoldKey(shard int) string { return keyIn(shard, "untold") }

// A user whom somebody may not see is looked up under these, where nothing ever is: so the answer is that for an
// id that does not exist, whatever goes on in the shard.
func nobodysLeases(shard int) string { return keyIn(shard, "user:nobody") }
func nobodysState(shard int) string  { return keyIn(shard, "state:nobody") }

func askersKey(user chat.ID) string { return keyIn(shardOf(user), "askers:"+user.String()) }
func leasesKey(user chat.ID) string { return keyIn(shardOf(user), "user:"+user.String()) }
func stateKey(user chat.ID) string  { return keyIn(shardOf(user), "state:"+user.String()) }
func roomKey(conv chat.ID) string   { return keyIn(shardOf(conv), "room:"+conv.String()) }
