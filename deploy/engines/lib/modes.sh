# Modes: how many nodes a set has. A set keeps the modes it was first started in; its data and ports are laid out by them.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

engines=(redis registry kafka cassandra) # in the order of how soon they are ready
engines_mode=single
redis_mode=single

# load_modes reads the modes of the set, if it was ever started.
load_modes() {
  if [ -f "$root/modes" ]; then read -r engines_mode redis_mode <"$root/modes"; fi
}

# settle_modes takes what the environment asks for, and refuses what this set is not.
settle_modes() {
  local asked_engines=${ENGINES:-$engines_mode} asked_redis=${ENGINES_REDIS:-$redis_mode}
  case $asked_engines in single | cluster) ;; *) die "ENGINES is $asked_engines; it can be single or cluster" ;; esac
  case $asked_redis in single | sentinel | cluster) ;; *) die "ENGINES_REDIS is $asked_redis; it can be single, sentinel or cluster" ;; esac
  if [ -f "$root/modes" ] && [ "$asked_engines $asked_redis" != "$engines_mode $redis_mode" ]; then
    die "this set is ENGINES=$engines_mode ENGINES_REDIS=$redis_mode, not ENGINES=$asked_engines ENGINES_REDIS=$asked_redis:" \
      "'engines.sh clean' forgets it and its data; another DOZAAR_ENGINES_DIR is another set"
  fi
  engines_mode=$asked_engines redis_mode=$asked_redis
}

keep_modes() { echo "$engines_mode $redis_mode" >"$root/modes"; }

# nodes_of ENGINE prints the names of its nodes.
nodes_of() {
  case $1-$engines_mode-$redis_mode in
    registry-*) echo registry ;;
    redis-*-single) echo redis-1 ;;
    redis-*-sentinel) echo redis-{1..3} sentinel-{1..3} ;;
    redis-*-cluster) echo redis-{1..6} ;;
    *-single-*) echo "$1-1" ;;
    *) echo "$1"-{1..3} ;;
  esac
}

all_nodes() {
  local engine
  for engine in "${engines[@]}"; do nodes_of "$engine"; done | tr '\n' ' '
}

is_node() { case " $(all_nodes)" in *" $1 "*) ;; *) return 1 ;; esac; }

engine_of() {
  case $1 in
    sentinel-*) echo redis ;;
    *) echo "${1%-*}" ;;
  esac
}

# address_of NODE is where it listens. Cassandra's nodes have one port, so each needs an address of its own.
address_of() {
  case $1 in
    cassandra-*) echo "127.0.0.${1##*-}" ;;
    *) echo 127.0.0.1 ;;
  esac
}

# ports_of NODE names its ports, the one for clients first.
ports_of() {
  case $1 in
    cassandra-1) echo cassandra cassandra-storage cassandra-jmx ;; # nodetool's
    cassandra-*) echo cassandra cassandra-storage ;;
    kafka-*) echo "$1 $1-controller" ;;
    redis-*) if [ "$redis_mode" = cluster ]; then echo "$1 $1-bus"; else echo "$1"; fi ;;
    *) echo "$1" ;;
  esac
}
