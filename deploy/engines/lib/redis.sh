# Redis: the system's, in memory. It holds nothing that is not rebuilt.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

redis_address() { echo "127.0.0.1:$(port redis)"; }

redis_need() {
  local have least
  have=$(redis-server --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p') least=$(version redis.minimum)
  [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ] || die "redis-server is $have; at least $least is needed"
}

redis_start() {
  choose redis
  mkdir -p "$root/data/redis"
  launch redis redis-server --bind 127.0.0.1 --port "$(port redis)" --dir "$root/data/redis" \
    --save '' --appendonly no --daemonize no --maxmemory-policy noeviction
}

redis_answers() {
  listens redis "$(port redis)" && [ "$(redis-cli -h 127.0.0.1 -p "$(port redis)" PING)" = PONG ]
}
