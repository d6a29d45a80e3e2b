# Jars: resolved by Maven from pom.xml, held to the checksums beside it.
# shellcheck shell=bash disable=SC2154 # here and cache are set by engines.sh

# version PROPERTY is a property of pom.xml.
version() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" "$here/pom.xml"; }

# jar_folder ENGINE is where its jars are kept.
jar_folder() { echo "$cache/$1-$(version "$1.version")"; }

# jars ENGINE prints the folder with the engine's jars, fetched if need be, exactly those that are pinned.
jars() {
  local folder
  folder=$(jar_folder "$1")
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    ( # two sets with one cache wait for each other
      flock 7
      [ -d "$folder" ] || fetch "$1" "$folder"
    ) 7>"$cache/lock" || exit 1
  fi
  verify "$here/$1.sha256" "$folder" || die "the jars in $folder are not those of $here/$1.sha256: remove the folder, or look who changed them"
  echo "$folder"
}

fetch() {
  say "fetching the jars of $1"
  rm -rf "$2.new"
  mkdir -p "$2.new"
  mvn -B -q -Dstyle.color=never -f "$here/pom.xml" -P"$1" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2.new" >&2 ||
    die "the jars of $1 cannot be fetched"
  mv "$2.new" "$2"
}

# verify CHECKSUMS FOLDER: every file of the list is there and right, and no other is.
verify() {
  (cd "$2" && sha256sum --check --quiet --strict "$1" >&2) &&
    diff <(sed 's/^[0-9a-f]* [ *]//' "$1" | sort) <(cd "$2" && find . -type f -printf '%P\n' | sort) >&2
}

pin() {
  local engine folder
  for engine in kafka cassandra; do
    folder=$(jar_folder "$engine")
    mkdir -p "$cache"
    rm -rf "$folder"
    fetch "$engine" "$folder"
    (cd "$folder" && sha256sum -- *) >"$here/$engine.sha256"
    say "$engine $(version "$engine.version"): $(wc -l <"$here/$engine.sha256") jars pinned"
  done
}
