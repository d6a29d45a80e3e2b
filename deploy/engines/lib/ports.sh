# Ports: chosen free, kept for the next `up`, and believed only where our own process listens.
# shellcheck shell=bash disable=SC2154 # root is set by engines.sh

# listening PORT prints the inodes of the sockets that listen there, on any address.
listening() {
  local hex
  hex=$(printf '%04X' "$1")
  awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# port NAME prints the port of that name, chosen at the first call.
port() { cat "$root/ports/$1"; }

# choose NAME… gives each name a port on which nobody listens: the one it had, where that is still free. They
# lie below the range from which the kernel takes those of outgoing connections.
choose() {
  local name p
  for name in "$@"; do
    p=$(cat "$root/ports/$name" 2>/dev/null || echo 0)
    while [ "$p" -eq 0 ] || [ -n "$(listening "$p")" ] || taken "$p" "$name"; do
      p=$((20000 + RANDOM % 12000))
    done
    echo "$p" >"$root/ports/$name"
  done
}

# taken tells whether another of our names has that port.
taken() {
  local file
  for file in "$root"/ports/*; do
    if [ "$file" != "$root/ports/$2" ] && [ "$(cat "$file" 2>/dev/null)" = "$1" ]; then return 0; fi
  done
  return 1
}

# listens NAME PORT holds where the socket that listens on the port belongs to the process launched under
# that name. Whoever came first to a port we wanted answers there too, and is not our engine.
listens() {
  local pid inode
  pid=$(pid_of "$1")
  for inode in $(listening "$2"); do
    if find "/proc/$pid/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .; then return 0; fi
  done
  echo "the process of $1 does not listen on port $2"
  return 1
}
