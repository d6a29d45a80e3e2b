# The schema registry: the product's own for development, which keeps its schemas in a journal.
# shellcheck shell=bash disable=SC2154 # root, here and command are set by engines.sh

registry_address() { echo "http://127.0.0.1:$(port registry)"; }

registry_env() { echo "DOZAAR_SCHEMA_REGISTRY_URL=$(registry_address)"; }

registry_start() {
  local binary
  binary=$(registry_binary) || exit 1
  # Settings that are in force where `up` was called are not meant for it.
  launch "$1" env -i PATH="$PATH" HOME="$root" "$binary" registry --listen "127.0.0.1:$(port registry)" --dir "$root/data/registry"
}

# registry_binary prints a dozaar that is built from this checkout by every `up`; where Go is missing, `make build`'s.
registry_binary() {
  local checkout=$here/../..
  if [ "$command" = start ] && [ -x "$root/bin/dozaar" ]; then
    echo "$root/bin/dozaar"
    return
  fi
  if ! command -v go >/dev/null; then
    say "Go is missing: the registry runs from the checkout's bin/dozaar, as old as that is"
    echo "$checkout/bin/dozaar"
    return
  fi
  say "building the schema registry"
  (cd "$checkout" && go build -o "$root/bin/dozaar" ./cmd/dozaar) >&2 || die "bin/dozaar cannot be built"
  echo "$root/bin/dozaar"
}

registry_node_answers() {
  listens registry && http_get "$(port registry)" /subjects | tee /dev/stderr | grep -q '^HTTP/1.[01] 200 '
}

registry_answers() { registry_node_answers; }

# http_get PORT PATH prints the answer of 127.0.0.1, headers and all.
http_get() (
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
  timeout 5 cat <&3
)
