# The little of Cassandra's native protocol (version 4) that it takes to ask a node something.
# shellcheck shell=bash disable=SC2001 # sed is what can repeat a match

# cql ADDRESS PORT CONSISTENCY QUERY… runs queries, one after the other, on one connection, and prints the body of each
# answer in hexadecimal. It fails at the first error and prints that as text.
cql() (
  exec 3<>"/dev/tcp/$1/$2" || exit 1
  case $3 in one) level=0001 ;; quorum) level=0004 ;; all) level=0005 ;; *) exit 2 ;; esac
  shift 3
  cql_ask 01 "0001$(cql_text 4 CQL_VERSION)$(cql_text 4 3.0.0)" >/dev/null || exit 1
  for query in "$@"; do
    cql_ask 07 "$(cql_text 8 "$query")${level}00" || exit 1 # no flags
  done
)

# cql_text DIGITS TEXT is a text after its length.
cql_text() { printf "%0$1x%s" "${#2}" "$(printf %s "$2" | cql_hex)"; }

cql_hex() { od -An -v -tx1 | tr -d ' \n'; }

# cql_ask OPCODE BODY sends a frame, both in hexadecimal, and prints the body that comes back.
cql_ask() {
  local frame header body
  frame=$(printf '04000000%s%08x%s' "$1" $((${#2} / 2)) "$2")
  # shellcheck disable=SC2059 # the format is what is sent
  printf "$(sed 's/../\\x&/g' <<<"$frame")" >&3
  header=$(timeout 20 head -c 9 <&3 | cql_hex)
  [ ${#header} -eq 18 ] || { echo "no answer"; return 1; }
  body=$(timeout 20 head -c $((16#${header:10})) <&3 | cql_hex)
  if [ "${header:8:2}" = 00 ]; then # an error: a code, then a text after its length
    printf 'error %s: ' "${body:0:8}"
    # shellcheck disable=SC2059
    printf "$(sed 's/../\\x&/g' <<<"${body:12}")\n"
    return 1
  fi
  echo "$body"
}
