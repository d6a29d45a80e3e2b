# Ports: chosen free, kept for the next `up`, and believed only where our own process listens.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

# The sets of this user on this machine, one folder a line: none takes a port that another one keeps.
sets=/tmp/dozaar-engines-$(id -u)

# listening PORT [ADDRESS] prints the inodes of the sockets that listen there; without an address, on any.
listening() {
  local port a b c d where=
  port=$(printf '%04X' "$1")
  if [ $# -gt 1 ]; then
    IFS=. read -r a b c d <<<"$2"
    where=$(printf '%02X%02X%02X%02X' "$d" "$c" "$b" "$a") # as /proc writes it; in tcp6 at the end of a mapped address
  fi
  awk -v port="$port" -v where="$where" '
    $4 != "0A" { next }
    { split($2, local, ":") }
    local[2] == port && (where == "" || local[1] ~ "^0+$" || local[1] ~ where "$") { print $10 }
  ' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# port NAME prints the port of that name.
port() { cat "$root/ports/$1"; }

# endpoint_of NODE is where clients reach it; endpoints NODE… is a list of them, with commas between.
endpoint_of() {
  local names
  read -ra names < <(ports_of "$1")
  echo "$(address_of "$1"):$(port "${names[0]}")"
}

endpoints() {
  local node
  for node in "$@"; do endpoint_of "$node"; done | paste -sd ,
}

# reserve NODE ENGINE gives the ports of the engine's nodes numbers, where they have none: all at once, for the nodes name
# each other. It refuses where somebody else listens on those of this node.
reserve() {
  local node name missing=()
  for node in $(nodes_of "$2"); do
    for name in $(ports_of "$node"); do [ -s "$root/ports/$name" ] || missing+=("$name"); done
  done
  [ ${#missing[@]} -eq 0 ] || choose "${missing[@]}"
  for name in $(ports_of "$1"); do
    [ -z "$(listening "$(port "$name")" "$(address_of "$1")")" ] ||
      die "port $(port "$name") of $1 is held by another process"
  done
}

# release_taken NODE forgets those of its ports on which somebody else listens.
release_taken() {
  local name
  for name in $(ports_of "$1"); do
    if [ -s "$root/ports/$name" ] && [ -n "$(listening "$(port "$name")" "$(address_of "$1")")" ]; then rm "$root/ports/$name"; fi
  done
}

# choose NAME… gives each name a port on which nobody listens and that no set keeps. They lie below the range from which
# the kernel takes those of outgoing connections.
choose() {
  local name p
  lock_sets
  grep -qxsF "$root" "$sets/list" || echo "$root" >>"$sets/list"
  for name in "$@"; do
    p=0
    while [ "$p" -eq 0 ] || [ -n "$(listening "$p")" ] || kept "$p"; do
      p=$((20000 + RANDOM % 12000))
    done
    echo "$p" >"$root/ports/$name"
  done
  exec 8>&-
}

# forget_ports takes the set off the list.
forget_ports() {
  lock_sets
  { grep -vxsF "$root" "$sets/list" || true; } >"$sets/list.new"
  mv "$sets/list.new" "$sets/list"
  exec 8>&-
}

# lock_sets has sets that come at once wait for each other, until file 8 is closed.
lock_sets() {
  [ -d "$sets" ] || mkdir -m 700 "$sets" || true
  [ -O "$sets" ] || die "$sets belongs to somebody else"
  exec 8>"$sets/lock"
  flock 8
}

# kept PORT tells whether a set has it, running or not.
kept() {
  local set
  while read -r set; do
    if grep -qxsF "$1" "$set"/ports/*; then return 0; fi
  done <"$sets/list"
  return 1
}

# listens NODE holds where the sockets that listen on its ports belong to the process launched under that name. Whoever
# came first to a port we wanted answers there too, and is not our engine.
listens() {
  local name
  for name in $(ports_of "$1"); do
    owns "$1" "$(port "$name")" || { echo "the process of $1 does not listen on port $(port "$name")"; return 1; }
  done
}

owns() {
  local pid inode
  pid=$(pid_of "$1")
  for inode in $(listening "$2" "$(address_of "$1")"); do
    if find "/proc/$pid/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then return 0; fi
  done
  return 1
}
