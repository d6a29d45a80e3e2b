# Kafka: nodes that are broker and controller (KRaft).
# shellcheck shell=bash disable=SC2154 # root and cache are set by engines.sh

kafka_address() {
  # shellcheck disable=SC2046 # names of nodes
  endpoints $(nodes_of kafka)
}

kafka_env() { echo "DOZAAR_KAFKA_BROKERS=$(kafka_address)"; }

kafka_count() { nodes_of kafka | wc -w; }

kafka_start() {
  local libs id=${1##*-} data=$root/data/$1 conf=$root/conf/$1.properties
  libs=$(jars kafka) || exit 1
  kafka_config "$1" "$id" "$data" >"$conf"
  if [ ! -f "$data/meta.properties" ]; then
    kafka_format "$libs" "$conf" >"$root/log/$1.log" 2>&1 || die "the folder of $1 could not be made"
  fi
  launch "$1" java -Xms256m -Xmx512m -Dorg.apache.logging.log4j.level=INFO -cp "$libs/*" kafka.Kafka "$conf"
}

# kafka_config NODE ID DATA: what the cluster itself keeps has the replication that the product's topics ask for. A broker
# that is silent for four seconds is replaced as a leader; Kafka's default is nine.
kafka_config() {
  local count isr=1 node voters=''
  count=$(kafka_count)
  [ "$count" -eq 1 ] || isr=2
  for node in $(nodes_of kafka); do voters+=${voters:+,}${node##*-}@127.0.0.1:$(port "$node-controller"); done
  cat <<END
process.roles=broker,controller
node.id=$2
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$(port "$1"),CONTROLLER://127.0.0.1:$(port "$1-controller")
advertised.listeners=PLAINTEXT://127.0.0.1:$(port "$1")
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$3
auto.create.topics.enable=false
default.replication.factor=$count
min.insync.replicas=$isr
offsets.topic.replication.factor=$count
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$count
transaction.state.log.min.isr=$isr
share.coordinator.state.topic.replication.factor=$count
share.coordinator.state.topic.min.isr=$isr
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=4000
END
}

# kafka_format LIBS CONF makes a node's folder, of the cluster that the set has been given.
kafka_format() {
  local id=$root/data/kafka.id
  [ -s "$id" ] || { kafka_java "$1" kafka.tools.StorageTool random-uuid 2>/dev/null >"$id.new" && mv "$id.new" "$id"; } || return 1
  kafka_java "$1" kafka.tools.StorageTool format -c "$2" -t "$(cat "$id")"
}

kafka_java() { java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$1/*" "${@:2}"; }

kafka_node_answers() { listens "$1"; }

# Kafka answers when every broker has acknowledged a record: one that has a replica on each and needs them all.
kafka_answers() {
  local libs topic=dozaar-engines-probe count
  count=$(kafka_count)
  libs=$(jar_folder kafka)
  kafka_topic "$libs" --create --if-not-exists --topic $topic --partitions 1 --replication-factor "$count" \
    --config min.insync.replicas="$count" &&
    kafka_java "$libs" org.apache.kafka.tools.VerifiableProducer --bootstrap-server "$(kafka_address)" \
      --topic $topic --max-messages 1 --acks -1 | grep -q '"name":"producer_send_success"' &&
    kafka_topic "$libs" --delete --topic $topic
}

kafka_topic() { kafka_java "$1" org.apache.kafka.tools.TopicCommand --bootstrap-server "$(kafka_address)" "${@:2}"; }
