# Nodes: started, waited for, and ended or hung on purpose. What differs between the engines is in their own files, each with
# ENGINE_start NODE, ENGINE_node_answers NODE, ENGINE_answers, ENGINE_address and ENGINE_env.
# shellcheck shell=bash disable=SC2034,SC2154 # root and wrong are of engines.sh

# mend NODE makes it run, if it does not. An engine's only node moves to another port where somebody else has its own.
mend() {
  case $(state_of "$1") in
    running) ;;
    paused) resume_node "$1" ;;
    down)
      [ "$(nodes_of "$(engine_of "$1")")" != "$1" ] || release_taken "$1"
      start "$1"
      ;;
  esac
}

start() {
  local engine
  engine=$(engine_of "$1")
  reserve "$1" "$engine"
  wrong=$1
  fresh+=("$1")
  "${engine}_start" "$1"
  wrong=
}

# await NODE returns when it answers, whatever the others do.
await() {
  local check
  check=$(engine_of "$1")_node_answers
  wrong=$1
  if ! within "$patience" "$1" "$1" "$check" "$1"; then
    case " ${fresh[*]-} " in *" $1 "*) die "$1 has ended" ;; esac
    start "$1" # it was on its way out when we looked
    wrong=$1
    within "$patience" "$1" "$1" "$check" "$1" || die "$1 has ended"
  fi
  wrong=
}

# await_engine ENGINE returns when its nodes do together what they are for.
await_engine() {
  local node nodes
  nodes=$(nodes_of "$1")
  wrong=${nodes%% *}
  if declare -F "$1_form" >/dev/null; then "$1_form" || die "the nodes of $1 do not come together: see $root/log/$1-form.log"; fi
  if ! within "$patience" "$1" "$nodes" "$1_answers"; then
    for node in $nodes; do
      running "$node" || { wrong=$node; die "$node has ended"; }
    done
  fi
  wrong=
}

all_run() {
  local node
  for node in $(nodes_of "$1"); do running "$node" || return 1; done
}

state_of() {
  if ! running "$1"; then
    echo down
  elif [ "$(process_state "$(pid_of "$1")")" = T ]; then
    echo paused
  else
    echo running
  fi
}

start_node() {
  case $(state_of "$1") in
    paused) die "$1 is paused: resume it" ;;
    running) say "$1 runs already" ;;
    down)
      need "$(engine_of "$1")"
      trap undo EXIT
      start "$1"
      await "$1"
      trap - EXIT
      say "$1 answers at $(endpoint_of "$1"), pid $(pid_of "$1")"
      ;;
  esac
}

stop_node() { must_run "$1"; end "$1"; }

kill_node() {
  must_run "$1"
  kill -KILL "$(pid_of "$1")"
  gone "$1" 10 || die "$1 does not go away"
  rm -f "$root/run/$1"
  say "$1 killed"
}

pause_node() { must_run "$1"; kill -STOP "$(pid_of "$1")"; say "$1 paused"; }
resume_node() { must_run "$1"; kill -CONT "$(pid_of "$1")"; say "$1 resumed"; }

must_run() { running "$1" || die "$1 does not run"; }
