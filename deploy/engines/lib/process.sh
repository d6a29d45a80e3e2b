# Processes, told apart by more than their pid: a pid is soon somebody else's.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

# process_stat PID prints what /proc says of it after its name, which may hold anything.
process_stat() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  echo "${stat##*) }"
}

process_state() {
  local fields
  read -ra fields < <(process_stat "$1") || return 1
  echo "${fields[0]}"
}

# identity PID is its boot and start time. Its first thread may have ended, and others still hold its ports.
identity() {
  local fields
  read -ra fields < <(process_stat "$1") || return 1
  [ "${fields[0]}" != Z ] || [ "${fields[17]}" -gt 1 ] || return 1
  echo "$(cat /proc/sys/kernel/random/boot_id) ${fields[19]}"
}

# launch NAME COMMAND… starts a process of its own session, its output in a log, and remembers who it is.
launch() {
  local name=$1
  shift
  setsid "$@" >"$root/log/$name.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  echo "$pid $(identity "$pid")" >"$root/run/$name" || die "$name ended at once: see $root/log/$name.log"
}

pid_of() { cut -d ' ' -f 1 "$root/run/$1" 2>/dev/null; }

running() {
  local pid who
  read -r pid who 2>/dev/null <"$root/run/$1" || return 1
  [ -n "$who" ] && [ "$(identity "$pid")" = "$who" ]
}

# end NAME ends the process that was launched under it, if it is still the same one; a paused one too.
end() {
  local name=$1 pid
  if running "$name"; then
    pid=$(pid_of "$name")
    kill "$pid" || true
    kill -CONT "$pid" || true
    if ! gone "$name" 20; then
      say "$name does not end by itself; killed"
      kill -KILL "$pid" || true
      gone "$name" 10 || die "$name does not go away"
    fi
    say "$name ended"
  fi
  rm -f "$root/run/$name"
}

# gone NAME SECONDS waits until it has ended.
gone() {
  local deadline=$((SECONDS + $2))
  while running "$1"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

# within SECONDS NAME NODES CHECK… repeats a check until it holds. It fails as soon as one of the nodes has ended.
within() {
  local deadline=$((SECONDS + $1)) name=$2 nodes=$3 node
  shift 3
  until ("$@") >"$root/log/$name.check.log" 2>&1; do # a shell of its own: a signal finds our own output where it was
    for node in $nodes; do running "$node" || return 1; done
    if [ $SECONDS -ge $deadline ]; then
      tail -n 3 "$root/log/$name.check.log" | cut -c 1-300 >&2
      die "$name does not answer; its last answer is in $root/log/$name.check.log"
    fi
    sleep 0.3
  done
  for node in $nodes; do running "$node" || return 1; done
}
