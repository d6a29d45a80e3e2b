# What a machine lacks, said before anything is started.
# shellcheck shell=bash disable=SC2154 # here, cache and engines_mode are set elsewhere

# need ENGINE… dies with everything that those engines lack.
need() {
  local engine missing=()
  for engine in "$@"; do
    case $engine in
      kafka | cassandra)
        command -v java >/dev/null || missing+=("Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
        command -v mvn >/dev/null || [ -d "$(jar_folder "$engine")" ] || missing+=("Maven (Debian: apt-get install maven)")
        ;;
      redis) command -v redis-server >/dev/null || missing+=("redis-server (Debian: apt-get install redis-server)") ;;
      registry) command -v go >/dev/null || [ -x "$here/../../bin/dozaar" ] || missing+=("Go 1.26 or newer (https://go.dev/dl)") ;;
    esac
  done
  if [ ${#missing[@]} -gt 0 ]; then die "missing: $(printf '%s\n' "${missing[@]}" | sort -u | paste -sd ';' | sed 's/;/; /g')"; fi
  case " $* " in *" kafka "* | *" cassandra "*) need_java ;; esac
  case " $* " in *" redis "*) redis_need ;; esac
  case " $* " in *" cassandra "*) [ "$engines_mode" = single ] || need_loopback 127.0.0.2 127.0.0.3 ;; esac
}

# Cassandra 5.0 starts on 11 and 17 only, Kafka's brokers on 17 and later.
need_java() {
  local have
  have=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
  [ "$have" = 17 ] || die "java is version ${have:-unknown}; the engines need 17 (Debian: apt-get install openjdk-17-jre-headless)"
}

# need_loopback ADDRESS…: nobody listens on port 9 there, so where the address can be used the answer is a refusal.
need_loopback() {
  local address answer
  for address in "$@"; do
    answer=$(timeout 3 bash -c "exec 3<>/dev/tcp/$address/9" 2>&1) || [[ $answer == *refused* ]] ||
      die "three Cassandra nodes need the addresses 127.0.0.1, 127.0.0.2 and 127.0.0.3; $address cannot be used on this machine" \
        "(Linux: ip address add $address/8 dev lo)"
  done
}
