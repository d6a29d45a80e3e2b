# Redis: the system's, in memory. It holds nothing that is not rebuilt. What sets the modes apart is in sentinel.sh and
# rediscluster.sh.
# shellcheck shell=bash disable=SC2154 # root and redis_mode are set elsewhere

redis_need() {
  local have least
  have=$(redis-server --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p') least=$(version redis.minimum)
  [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ] || die "redis-server is $have; at least $least is needed"
}

# redis_address is what clients are given: Sentinel's addresses where there is one.
redis_address() {
  case $redis_mode in
    single) endpoints redis-1 ;;
    sentinel) endpoints sentinel-{1..3} ;;
    cluster) endpoints redis-{1..6} ;;
  esac
}

redis_env() {
  echo "DOZAAR_REDIS_ADDRS=$(redis_address)"
  case $redis_mode in
    sentinel) echo "DOZAAR_REDIS_MASTER=$sentinel_master" ;;
    cluster) echo "DOZAAR_REDIS_CLUSTER=true" ;;
  esac
}

redis_start() {
  local data=$root/data/$1
  mkdir -p "$data"
  case $1-$redis_mode in
    sentinel-*) sentinel_config "$1" "$data" ;;
    *-single) redis_config "$1" "$data" >"$data/redis.conf" ;;
    *-sentinel) replica_config "$1" "$data" ;;
    *-cluster) rediscluster_config "$1" "$data" ;;
  esac
  case $1 in
    sentinel-*) launch "$1" redis-server "$data/sentinel.conf" --sentinel ;;
    *) launch "$1" redis-server "$data/redis.conf" ;;
  esac
}

redis_config() {
  cat <<END
bind 127.0.0.1
port $(port "$1")
dir $2
save ""
appendonly no
daemonize no
maxmemory-policy noeviction
repl-diskless-sync-delay 0
END
}

# redis_at NODE COMMAND… asks one node.
redis_at() { timeout 5 redis-cli -h 127.0.0.1 -p "$(port "$1")" "${@:2}"; }

redis_node_answers() { listens "$1" && [ "$(redis_at "$1" PING)" = PONG ]; }

# Redis answers when a write has arrived wherever it is to arrive.
redis_answers() {
  case $redis_mode in
    single) written redis-1 0 ;;
    sentinel) sentinel_answers ;;
    cluster) rediscluster_answers ;;
  esac
}

# redis_form brings new nodes together, where Redis does not do that itself.
redis_form() { [ "$redis_mode" != cluster ] || rediscluster_form; }

# written MASTER N holds when a write is at the master and N replicas. The key is the master's own in a cluster too.
written() {
  local key answer
  key=$(own_key "$1") || return 1
  answer=$(redis_at "$1" <<<"SET $key 1 EX 60
WAIT $2 2000" | paste -sd ' ')
  [ "$answer" = "OK $2" ] || { echo "a write at $1: $answer; want $2 replicas"; return 1; }
}
