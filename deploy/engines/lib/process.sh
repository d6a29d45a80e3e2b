# Processes, told apart by more than their pid: a pid is soon somebody else's.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

# identity is a process's boot and start time.
identity() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }" # what follows the name, which may hold anything
  [ "${fields[0]}" != Z ] || return 1
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

# end ends the process that was launched under a name, if it is still the same one.
end() {
  local name=$1 pid
  if running "$name"; then
    pid=$(pid_of "$name")
    kill "$pid"
    for _ in $(seq 200); do
      running "$name" || break
      sleep 0.1
    done
    if running "$name"; then
      say "$name does not end by itself; killed"
      kill -KILL "$pid"
    fi
    say "$name ended"
  fi
  rm -f "$root/run/$name"
}

# within SECONDS NAME CHECK… repeats a check until it holds. It fails as soon as the process has ended.
within() {
  local deadline=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >"$root/log/$name.check.log" 2>&1; do
    running "$name" || return 1
    [ $SECONDS -lt $deadline ] || die "$name does not answer; its last answer is in $root/log/$name.check.log"
    sleep 0.3
  done
  running "$name"
}
