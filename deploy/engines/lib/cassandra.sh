# Cassandra: one node, its own cluster, or three, on one port at 127.0.0.1 to 3.
# shellcheck shell=bash disable=SC2001,SC2154 # root, here and engines_mode are set elsewhere

cassandra_address() {
  # shellcheck disable=SC2046 # names of nodes
  endpoints $(nodes_of cassandra)
}

cassandra_env() { echo "DOZAAR_CASSANDRA_HOSTS=$(cassandra_address)"; }

cassandra_count() { nodes_of cassandra | wc -w; }

# What Cassandra 5.0 must be let into on Java 17.
cassandra_opens() {
  local package
  for package in java.base/{java.io,java.lang,java.lang.module,java.lang.ref,java.lang.reflect,java.math,java.net,java.nio} \
    java.base/{java.util,java.util.concurrent,java.util.concurrent.atomic,sun.net.dns,sun.nio.ch} \
    java.base/jdk.internal.{loader,math,misc,module,ref,reflect,util.jar,vm} \
    java.rmi/sun.rmi.{registry,server,transport,transport.tcp} java.sql/java.sql \
    java.management.rmi/com.sun.jmx.remote.internal.rmi java.management/com.sun.jmx.remote.security \
    jdk.management/com.sun.management.internal jdk.management.agent/jdk.internal.agent jdk.unsupported/sun.misc; do
    echo "--add-exports=$package=ALL-UNNAMED"
    echo "--add-opens=$package=ALL-UNNAMED"
  done
}

# With Cassandra's default, commitlog_sync: periodic, the last tenth of a second of acknowledged writes dies with a killed
# process. One node has nobody to take that back from, hence batch: it acknowledges what is on the disk.
cassandra_config() {
  local data=$root/data/$1 seeds
  seeds=127.0.0.1:$(port cassandra-storage)
  # Once they have come together, each finds the others whichever of them is there.
  if [ "$engines_mode" = cluster ] && [ -f "$root/data/cassandra.formed" ]; then
    seeds+=,127.0.0.2:$(port cassandra-storage),127.0.0.3:$(port cassandra-storage)
  fi
  cat <<END
cluster_name: dozaar development
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
num_tokens: 16
data_file_directories: ["$data/data"]
commitlog_directory: "$data/commitlog"
saved_caches_directory: "$data/saved_caches"
hints_directory: "$data/hints"
cdc_raw_directory: "$data/cdc_raw"
commitlog_sync: batch
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "$seeds"}]
listen_address: $(address_of "$1")
rpc_address: $(address_of "$1")
storage_port: $(port cassandra-storage)
native_transport_port: $(port cassandra)
auto_bootstrap: false
auto_snapshot: false
END
}

# The ring delay is how long a node waits for the word of another one before it gives up; alone it has none to wait for.
cassandra_start() {
  local libs data=$root/data/$1 conf=$root/conf/$1.yaml opens jmx=() heap=768m delay=100
  [ "$engines_mode" = single ] || heap=512m delay=20000
  [ "$1" != cassandra-1 ] || jmx=("-Dcassandra.jmx.local.port=$(port cassandra-jmx)") # at 127.0.0.1, whatever the node's address
  libs=$(jars cassandra) || exit 1
  cassandra_config "$1" >"$conf"
  mkdir -p "$data"
  mapfile -t opens < <(cassandra_opens)
  launch "$1" java -Xms$heap -Xmx$heap -XX:+UseSerialGC -XX:MaxDirectMemorySize=256m -Xss256k "${opens[@]}" \
    -Djdk.attach.allowAttachSelf=true -javaagent:"$(echo "$libs"/jamm-*.jar)" \
    -Dcassandra.config="file://$conf" -Dcassandra.storagedir="$data" -Dlogback.configurationFile="$here/lib/logback.xml" \
    -Dcassandra-foreground=yes "${jmx[@]}" -Dcassandra.ring_delay_ms=$delay -Dcassandra.skip_wait_for_gossip_to_settle=0 \
    -cp "$libs/*" org.apache.cassandra.service.CassandraDaemon
}

# cassandra_nodetool ARGUMENT… is Cassandra's nodetool, for cassandra-1. What it keeps in the home folder is the set's.
cassandra_nodetool() {
  local libs opens
  libs=$(jars cassandra) || exit 1
  mapfile -t opens < <(cassandra_opens)
  java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${opens[@]}" -Duser.home="$root/conf" -Dlogback.configurationFile="$here/lib/logback.xml" \
    -cp "$libs/*" org.apache.cassandra.tools.NodeTool -h 127.0.0.1 -p "$(port cassandra-jmx)" "$@"
}

# cassandra_joins ENGINE tells whether its nodes are to be started one after the other: Cassandra's, until all have joined.
cassandra_joins() { [ "$1" = cassandra ] && [ ! -f "$root/data/cassandra.formed" ]; }

cassandra_form() { touch "$root/data/cassandra.formed"; }

# A node answers when it tells its cluster's name.
cassandra_node_answers() {
  listens "$1" && cql "$(address_of "$1")" "$(port cassandra)" one "SELECT cluster_name FROM system.local"
}

# Cassandra answers when all nodes agree on the schema, and each of them has got a write to all of them, which it only
# tries where it finds all of them up. Then it has got one to a quorum too, as the product does.
cassandra_answers() {
  local node count
  count=$(cassandra_count)
  cassandra_agrees || return 1
  cql 127.0.0.1 "$(port cassandra)" quorum \
    "CREATE KEYSPACE IF NOT EXISTS dozaar_engines WITH replication = {'class': 'SimpleStrategy', 'replication_factor': $count}" \
    "CREATE TABLE IF NOT EXISTS dozaar_engines.probe (id int PRIMARY KEY, n int)" || return 1
  cassandra_agrees || return 1
  for node in $(nodes_of cassandra); do
    cassandra_probe "$node" all && cassandra_probe "$node" quorum || return 1
  done
}

cassandra_probe() {
  cql "$(address_of "$1")" "$(port cassandra)" "$2" "INSERT INTO dozaar_engines.probe (id, n) VALUES (1, 1)"
}

# cassandra_agrees holds when each node has the others for peers, and all of them have one schema.
cassandra_agrees() {
  local node count versions all=''
  count=$(cassandra_count)
  for node in $(nodes_of cassandra); do
    versions=$(cql "$(address_of "$node")" "$(port cassandra)" one \
      "SELECT schema_version FROM system.local" "SELECT schema_version FROM system.peers_v2") || { echo "$node: $versions"; return 1; }
    # What follows the column's name, its type and the number of rows are the values: each a uuid after its length.
    versions=$(sed "s/.*$(printf schema_version | cql_hex)000c.\{8\}//" <<<"$versions" | fold -w 40 | grep .)
    [ "$(wc -l <<<"$versions")" -eq "$count" ] || { echo "$node knows: $versions; want $count nodes"; return 1; }
    all+=$versions$'\n'
  done
  [ "$(sort -u <<<"$all" | grep -c .)" -eq 1 ] || { echo "the nodes do not agree on the schema"; return 1; }
}
