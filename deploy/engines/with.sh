#!/usr/bin/env bash
# with.sh COMMAND… runs a command on engines of its own, their addresses in its environment. They are gone when it ends,
# however it ends, and its exit status is with.sh's. The modes are chosen as for engines.sh.
#
# On a developer's machine that lacks what engines need, it says so and runs nothing; with CI set, that is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

missing=
for program in java mvn redis-server; do
  command -v "$program" >/dev/null || missing+=" $program"
done
if [ -n "$missing" ]; then
  echo "NOT TESTED on real engines: missing:$missing (Debian: apt-get install openjdk-17-jdk-headless maven redis-server)" >&2
  [ -z "${CI:-}" ]
  exit
fi

export DOZAAR_ENGINES_CACHE=${DOZAAR_ENGINES_CACHE:-$here/../../.engines/cache}
mkdir -p "$DOZAAR_ENGINES_CACHE"
DOZAAR_ENGINES_CACHE=$(cd "$DOZAAR_ENGINES_CACHE" && pwd)
DOZAAR_ENGINES_DIR=$(mktemp -d)
export DOZAAR_ENGINES_DIR

gone() {
  local status=$?
  trap - EXIT INT TERM
  "$here/engines.sh" clean 2>"$DOZAAR_ENGINES_DIR.log" || { cat "$DOZAAR_ENGINES_DIR.log" >&2; status=1; }
  rm -rf "$DOZAAR_ENGINES_DIR" "$DOZAAR_ENGINES_DIR.log"
  exit "$status"
}
trap gone EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/engines.sh" up
# shellcheck source=/dev/null
source "$DOZAAR_ENGINES_DIR/env"
"$@"
