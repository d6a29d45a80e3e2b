# Kafka: one node that is broker and controller (KRaft).
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

kafka_address() { echo "127.0.0.1:$(port kafka)"; }

kafka_start() {
  local libs data=$root/data/kafka conf=$root/conf/kafka.properties
  libs=$(jars kafka)
  choose kafka kafka-controller
  cat >"$conf" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(port kafka-controller)
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$(port kafka),CONTROLLER://127.0.0.1:$(port kafka-controller)
advertised.listeners=PLAINTEXT://127.0.0.1:$(port kafka)
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
END
  if [ ! -f "$data/meta.properties" ]; then
    kafka_java "$libs" kafka.tools.StorageTool format -c "$conf" \
      -t "$(kafka_java "$libs" kafka.tools.StorageTool random-uuid 2>/dev/null)" >"$root/log/kafka-format.log" 2>&1 ||
      die "Kafka's folder could not be made: see $root/log/kafka-format.log"
  fi
  launch kafka java -Xms256m -Xmx512m -Dorg.apache.logging.log4j.level=INFO -cp "$libs/*" kafka.Kafka "$conf"
}

kafka_java() { java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$1/*" "${@:2}"; }

# A broker answers when it has acknowledged a record, from all in-sync replicas.
kafka_answers() {
  local libs topic=dozaar-engines-probe
  listens kafka "$(port kafka)" && listens kafka "$(port kafka-controller)" || return 1
  libs=$cache/kafka-$(version kafka.version)
  kafka_java "$libs" org.apache.kafka.tools.TopicCommand --bootstrap-server "$(kafka_address)" \
    --create --if-not-exists --topic $topic --partitions 1 --replication-factor 1 &&
    kafka_java "$libs" org.apache.kafka.tools.VerifiableProducer --bootstrap-server "$(kafka_address)" \
      --topic $topic --max-messages 1 --acks -1 | grep -q '"name":"producer_send_success"' &&
    kafka_java "$libs" org.apache.kafka.tools.TopicCommand --bootstrap-server "$(kafka_address)" --delete --topic $topic
}
