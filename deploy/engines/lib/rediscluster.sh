# Redis Cluster: three masters with a replica each.
# shellcheck shell=bash disable=SC2154 # root and redis_mode are set elsewhere

# A node that was in a cluster half made starts afresh.
rediscluster_config() {
  [ -f "$root/data/redis.formed" ] || rm -f "$2/nodes.conf"
  {
    redis_config "$1" "$2"
    echo "cluster-enabled yes"
    echo "cluster-config-file nodes.conf"
    echo "cluster-port $(port "$1-bus")"
    echo "cluster-node-timeout 2000"
  } >"$2/redis.conf"
}

rediscluster_form() {
  local node nodes=()
  [ ! -f "$root/data/redis.formed" ] || return 0
  for node in redis-{1..6}; do nodes+=("127.0.0.1:$(port "$node")@$(port "$node-bus")"); done
  redis-cli --cluster create "${nodes[@]}" --cluster-replicas 1 --cluster-yes >"$root/log/redis-form.log" 2>&1 </dev/null || return 1
  touch "$root/data/redis.formed"
}

# It answers when every node finds it whole, each replica has its master, and a write at each master has arrived at its replica.
rediscluster_answers() {
  local node state role masters=0
  for node in redis-{1..6}; do
    state=$(redis_at "$node" CLUSTER INFO | tr -d '\r') || return 1
    for want in cluster_state:ok cluster_slots_ok:16384 cluster_known_nodes:6 cluster_size:3; do
      grep -qx "$want" <<<"$state" || { echo "$node does not have $want: $state"; return 1; }
    done
    role=$(redis_at "$node" ROLE | paste -sd ' ')
    case $role in
      master*) masters=$((masters + 1)); written "$node" 1 || return 1 ;;
      *' connected '*) ;;
      *) echo "$node: $role"; return 1 ;;
    esac
  done
  [ $masters -eq 3 ] || { echo "$masters masters; want 3"; return 1; }
}

# own_key NODE prints a key that the node keeps itself.
own_key() {
  local i
  [ "$redis_mode" = cluster ] || { echo dozaar-engines-probe; return; }
  for i in $(seq 100); do
    case $(redis_at "$1" GET "dozaar-engines-probe-$i") in
      MOVED*) ;;
      *) echo "dozaar-engines-probe-$i"; return ;;
    esac
  done
  echo "$1 keeps no key" >&2
  return 1
}
