# Redis with Sentinel: a master, two replicas, three sentinels. Who is master is in files that Sentinel rewrites at a
# failover, so they are written once only.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

sentinel_master=dozaar

replica_config() {
  [ ! -f "$2/redis.conf" ] || return 0
  redis_config "$1" "$2" >"$2/redis.conf.new"
  [ "$1" = redis-1 ] || echo "replicaof 127.0.0.1 $(port redis-1)" >>"$2/redis.conf.new"
  mv "$2/redis.conf.new" "$2/redis.conf"
}

# A master that is silent for two seconds is replaced; after six, another try may be made.
sentinel_config() {
  [ ! -f "$2/sentinel.conf" ] || return 0
  cat >"$2/sentinel.conf.new" <<END
bind 127.0.0.1
port $(port "$1")
dir $2
sentinel monitor $sentinel_master 127.0.0.1 $(port redis-1) 2
sentinel down-after-milliseconds $sentinel_master 2000
sentinel failover-timeout $sentinel_master 6000
sentinel parallel-syncs $sentinel_master 2
END
  mv "$2/sentinel.conf.new" "$2/sentinel.conf"
}

# It answers when the sentinels agree on a master, know each other and both replicas, and a write has arrived at those.
sentinel_answers() {
  local sentinel state master='' node
  for sentinel in sentinel-{1..3}; do
    state=$(redis_at "$sentinel" SENTINEL MASTER $sentinel_master | paste -d '=' - -) || return 1
    for want in flags=master num-slaves=2 num-other-sentinels=2; do
      grep -qx "$want" <<<"$state" || { echo "$sentinel does not have $want: $state"; return 1; }
    done
    redis_at "$sentinel" SENTINEL CKQUORUM $sentinel_master | grep '^OK 3 ' || { echo "$sentinel misses a sentinel"; return 1; }
    : "${master:=$(sed -n 's/^port=//p' <<<"$state")}"
    grep -qx "port=$master" <<<"$state" || { echo "the sentinels do not agree on the master"; return 1; }
  done
  for node in redis-{1..3}; do
    if [ "$(port "$node")" = "$master" ]; then written "$node" 2; return; fi
  done
  echo "the master at port $master is none of ours"
  return 1
}
