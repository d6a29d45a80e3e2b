#!/usr/bin/env bash
# Real Kafka, Cassandra and Redis, one node each, without Docker (Linux; needs Java 17, Maven, redis-server).
#
#   engines.sh up       start what is not running; returns when each truly answers, its addresses in .engines/env
#   engines.sh down     end exactly what `up` started here; data and ports stay for the next `up`
#   engines.sh status   what runs, where; fails unless everything does
#   engines.sh clean    down, and forget data and ports; the downloaded jars stay
#   engines.sh pin      write the checksums of the jars that pom.xml asks for; for whoever changes a version
#
# Everything is kept under DOZAAR_ENGINES_DIR (the checkout's .engines), the jars under DOZAAR_ENGINES_CACHE
# (its cache folder): another folder is another set of engines, beside this one, with ports of its own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${DOZAAR_ENGINES_DIR:=$here/../../.engines}"
root=$(cd "$DOZAAR_ENGINES_DIR" && pwd)
cache=${DOZAAR_ENGINES_CACHE:-$root/cache}
export TZ=UTC LC_ALL=C.UTF-8

for part in process ports jars kafka cql cassandra redis; do
  # shellcheck source=/dev/null
  source "$here/lib/$part.sh"
done

engines=(redis kafka cassandra) # in the order of how soon they are ready
fresh=()                        # those that this very run has started

say() { echo "engines: $*" >&2; }
die() { say "$*"; exit 1; }

up() {
  need
  trap undo EXIT
  for engine in "${engines[@]}"; do
    running "$engine" || start "$engine"
  done
  for engine in "${engines[@]}"; do
    if ! within 120 "$engine" "${engine}_answers"; then
      case " ${fresh[*]-} " in *" $engine "*) die "$engine has ended" ;; esac
      start "$engine" # it was on its way out when we looked
      within 120 "$engine" "${engine}_answers" || die "$engine has ended"
    fi
    say "$engine answers at $("${engine}_address"), pid $(pid_of "$engine")"
  done
  write_env
  trap - EXIT
  say "source $root/env"
}

start() {
  fresh+=("$1")
  "$1_start"
}

# need says what a machine lacks before anything is started.
need() {
  local missing=()
  command -v java >/dev/null || missing+=("Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
  command -v mvn >/dev/null || missing+=("Maven (Debian: apt-get install maven)")
  command -v redis-server >/dev/null || missing+=("redis-server (Debian: apt-get install redis-server)")
  [ ${#missing[@]} -eq 0 ] || die "missing: $(IFS=';'; echo "${missing[*]}")"
  redis_need
}

# undo ends what a failed `up` started, and nothing that ran before it.
undo() {
  for engine in ${fresh[@]+"${fresh[@]}"}; do
    if [ -f "$root/run/$engine" ] && [ -s "$root/log/$engine.log" ]; then
      say "the end of $root/log/$engine.log:"
      tail -n 5 "$root/log/$engine.log" | cut -c 1-300 >&2
    fi
    end "$engine"
  done
  say "not up"
}

write_env() {
  {
    echo "export DOZAAR_KAFKA_BROKERS=$(kafka_address)"
    echo "export DOZAAR_CASSANDRA_HOSTS=$(cassandra_address)"
    echo "export DOZAAR_REDIS_ADDRS=$(redis_address)"
  } >"$root/env.new"
  mv "$root/env.new" "$root/env"
}

down() {
  rm -f "$root/env"
  for engine in "${engines[@]}"; do end "$engine" & done
  wait
}

status() {
  local all=0
  for engine in "${engines[@]}"; do
    if running "$engine"; then
      echo "$engine: pid $(pid_of "$engine"), $("${engine}_address")"
    else
      echo "$engine: down"
      all=1
    fi
  done
  return $all
}

clean() {
  down
  rm -rf "$root/data" "$root/log" "$root/conf" "$root/run" "$root/ports"
}

case ${1:-} in
  up | down | clean | pin)
    mkdir -p "$root/run" "$root/log" "$root/conf" "$root/ports" "$root/data"
    exec 9>"$root/lock" # two that come at once wait for each other; the engines do not inherit it
    flock 9
    "$1"
    ;;
  status) status ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
