#!/usr/bin/env bash
# Real Kafka, Cassandra and Redis and a schema registry, without Docker (Linux; needs Java 17, Maven, redis-server, Go).
#
#   engines.sh up [ENGINE…]  start what is not running; returns when each truly answers, its addresses in the set's env
#   engines.sh down          end exactly what `up` started here; data and ports stay for the next `up`
#   engines.sh status        each node with its pid and address; fails unless all run
#   engines.sh clean         down, and forget data, ports and modes; the downloaded jars stay
#   engines.sh pin           write the checksums of the jars that pom.xml asks for; for whoever changes a version
#
#   engines.sh kill NODE     SIGKILL, as a crash would      engines.sh pause NODE    SIGSTOP, as a hang would
#   engines.sh stop NODE     SIGTERM, as an operator would  engines.sh resume NODE   SIGCONT
#   engines.sh start NODE    on the same ports and data; returns when the node answers
#   engines.sh nodetool …    Cassandra's own tool, for cassandra-1
#
# One node of each by default. ENGINES=cluster: three Kafka brokers and three Cassandra nodes. ENGINES_REDIS=sentinel or
# cluster: Redis in that mode. Everything is kept under DOZAAR_ENGINES_DIR (the checkout's .engines), the jars under
# DOZAAR_ENGINES_CACHE (its cache folder): another folder is another set of engines, beside this one. See README.md.

# shellcheck disable=SC2034 # some variables are for the parts
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${DOZAAR_ENGINES_DIR:=$here/../../.engines}"
root=$(cd "$DOZAAR_ENGINES_DIR" && pwd)
cache=${DOZAAR_ENGINES_CACHE:-$root/cache}
export TZ=UTC LC_ALL=C.UTF-8

for part in modes nodes process ports jars need registry redis sentinel rediscluster kafka cql cassandra; do
  # shellcheck source=/dev/null
  source "$here/lib/$part.sh"
done

fresh=()     # the nodes that this very run has started
wrong=       # the node that this run waited for in vain
patience=300 # seconds that a node may take, on a busy machine too

say() { echo "engines: $*" >&2; }
die() { say "$*"; exit 1; }

up() {
  local wanted=("$@") engine node
  [ $# -gt 0 ] || wanted=("${engines[@]}")
  for engine in "${wanted[@]}"; do
    case " ${engines[*]} " in *" $engine "*) ;; *) die "there is no engine $engine; there are: ${engines[*]}" ;; esac
  done
  settle_modes
  need "${wanted[@]}"
  keep_modes
  trap undo EXIT
  for engine in "${wanted[@]}"; do
    for node in $(nodes_of "$engine"); do
      mend "$node"
      ! cassandra_joins "$engine" || break
    done
  done
  for engine in "${wanted[@]}"; do
    for node in $(nodes_of "$engine"); do
      mend "$node"
      await "$node"
    done
    await_engine "$engine"
    say "$engine answers at $("${engine}_address")"
  done
  write_env
  trap - EXIT
  say "source $root/env"
}

# undo ends what a failed run started, and nothing that ran before it.
undo() {
  local node
  if [ -n "$wrong" ] && [ -s "$root/log/$wrong.log" ]; then
    say "the end of $root/log/$wrong.log:"
    tail -n 15 "$root/log/$wrong.log" | cut -c 1-300 >&2
  fi
  for node in ${fresh[@]+"${fresh[@]}"}; do end "$node" & done
  wait
  say "failed; what this run started is ended"
}

# write_env has a line for each engine whose nodes all run, and none of another set that was sourced before. Where none
# does, to source it fails and says so.
write_env() {
  local engine some=
  {
    echo "unset DOZAAR_KAFKA_BROKERS DOZAAR_SCHEMA_REGISTRY_URL DOZAAR_CASSANDRA_HOSTS"
    echo "unset DOZAAR_REDIS_ADDRS DOZAAR_REDIS_MASTER DOZAAR_REDIS_CLUSTER"
    for engine in "${engines[@]}"; do
      if all_run "$engine"; then some=1 && "${engine}_env" | sed 's/^/export /'; fi
    done
    [ -n "$some" ] || printf 'echo %q >&2\nreturn 1\n' "the engines of $root are down: 'make engines' starts them"
  } >"$root/env.new"
  mv "$root/env.new" "$root/env"
}

down() {
  local file
  for file in "$root"/run/*; do
    [ ! -e "$file" ] || end "${file##*/}" &
  done
  wait
  write_env
}

status() {
  local engine node state all=0
  for engine in "${engines[@]}"; do
    for node in $(nodes_of "$engine"); do
      state=$(state_of "$node")
      [ "$state" = running ] || all=1
      if [ "$state" = down ]; then
        echo "$node: down"
      else
        echo "$node: $state, pid $(pid_of "$node"), $(endpoint_of "$node")"
      fi
    done
  done
  return $all
}

clean() {
  down
  forget_ports
  (cd "$root" && rm -rf env data log conf run ports modes bin)
}

usage() { sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

command=${1:-}
case $command in
  up) ;;
  down | clean | pin | status) [ $# -eq 1 ] || usage ;;
  kill | stop | start | pause | resume) [ $# -eq 2 ] || usage ;;
  nodetool) [ $# -ge 2 ] || usage ;;
  *) usage ;;
esac
shift
load_modes
case $command in
  status) status; exit ;;
  nodetool) must_run cassandra-1; cassandra_nodetool "$@"; exit ;;
  kill | stop | start | pause | resume) is_node "$1" || die "there is no node $1 in this set; there are: $(all_nodes)" ;;
esac
mkdir -p "$root/run" "$root/log" "$root/conf" "$root/ports" "$root/data"
exec 9>"$root/lock" # two that come at once wait for each other; the engines do not inherit it
flock 9
case $command in
  up | down | clean | pin) "$command" "$@" ;;
  *) "${command}_node" "$1" ;;
esac
