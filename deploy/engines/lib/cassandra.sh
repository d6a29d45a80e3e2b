# Cassandra: one node, its own cluster.
# shellcheck shell=bash disable=SC2154 # root, here and cache are set by engines.sh

cassandra_address() { echo "127.0.0.1:$(port cassandra)"; }

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
cassandra_start() {
  local libs data=$root/data/cassandra conf=$root/conf/cassandra.yaml opens
  libs=$(jars cassandra)
  choose cassandra cassandra-storage
  mkdir -p "$data"
  cat >"$conf" <<END
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
    parameters: [{seeds: "127.0.0.1:$(port cassandra-storage)"}]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $(port cassandra-storage)
native_transport_port: $(port cassandra)
auto_bootstrap: false
auto_snapshot: false
END
  mapfile -t opens < <(cassandra_opens)
  launch cassandra java -Xms768m -Xmx768m -XX:+UseSerialGC -XX:MaxDirectMemorySize=256m -Xss256k "${opens[@]}" \
    -Djdk.attach.allowAttachSelf=true -javaagent:"$(echo "$libs"/jamm-*.jar)" \
    -Dcassandra.config="file://$conf" -Dcassandra.storagedir="$data" -Dlogback.configurationFile="$here/lib/logback.xml" \
    -Dcassandra-foreground=yes -Dcassandra.ring_delay_ms=100 -Dcassandra.skip_wait_for_gossip_to_settle=0 \
    -cp "$libs/*" org.apache.cassandra.service.CassandraDaemon
}

# A node answers when all that it knows of agree on the schema and a quorum of replicas has taken a write.
cassandra_answers() {
  local port versions
  port=$(port cassandra)
  listens cassandra "$port" && listens cassandra "$(port cassandra-storage)" || return 1
  cql "$port" \
    "CREATE KEYSPACE IF NOT EXISTS dozaar_engines WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}" \
    "CREATE TABLE IF NOT EXISTS dozaar_engines.probe (id int PRIMARY KEY, n int)" || return 1
  versions=$(cql "$port" "SELECT schema_version FROM system.local" "SELECT schema_version FROM system.peers_v2") || return 1
  # What follows the column's name, its type and the number of rows are the values: each a uuid after its length.
  versions=$(sed "s/.*$(printf schema_version | cql_hex)000c.\{8\}//" <<<"$versions" | fold -w 40 | sort -u | grep .)
  [ "$(wc -l <<<"$versions")" -eq 1 ] || { echo "the nodes do not agree on the schema"; return 1; }
  cql "$port" "INSERT INTO dozaar_engines.probe (id, n) VALUES (1, 1)"
}
