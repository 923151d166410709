#!/bin/sh
# Builds the release twice, from clean copies of the checked-in tree, and compares the digests:
# reproducible.sh [FOLDER FOR THE BUILDS]
#
# What may differ between two machines differs here: the folders of source, target and cargo home, the
# number of jobs, umask, language, time zone and time. What must be the same, since it is part of what
# is built: the tools, which the last lines name. Takes twice the time of a full release build, and
# more, since the second one uses a single job. Where the digests differ both binaries are kept.
set -eu
cd "$(dirname "$0")/.."

# Once, so that a commit made meanwhile is in neither.
commit=$(git rev-parse HEAD)
cargo fetch --quiet --locked
home=${CARGO_HOME:-$HOME/.cargo}
work=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/reproducible.XXXXXX")
keep=no
trap '[ "$keep" = yes ] || rm -rf "$work"' EXIT

# build NAME UMASK [VARIABLE=VALUE...]
build() {
    folder=$work/$1
    umask "$2"
    shift 2
    mkdir -p "$folder/source" "$folder/home"
    git archive "$commit" | tar -x -C "$folder/source"
    # The same downloads under another path: what of a home is not a download stays out.
    for part in registry git config.toml; do
        [ ! -e "$home/$part" ] || ln -s "$home/$part" "$folder/home/$part"
    done
    echo "reproducible: building in $folder ($*)"
    env CARGO_HOME="$folder/home" CARGO_TARGET_DIR="$folder/built" "$@" \
        "$folder/source/scripts/build_release.sh" --quiet --offline
    cp "$folder/built/release/safelight" "$folder.binary"
    # Each build takes gigabytes.
    rm -rf "$folder"
}

# Of different lengths, so that no two paths agree by chance.
build one 022 LC_ALL=C TZ=UTC
build the-other-one 077 LC_ALL=C.UTF-8 TZ=Pacific/Auckland CARGO_BUILD_JOBS=1

# sha256sum is coreutils, shasum comes with macOS.
digest() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi |
        cut -d ' ' -f 1
}

one=$(digest "$work/one.binary")
other=$(digest "$work/the-other-one.binary")
echo "$one  one, $(wc -c <"$work/one.binary") bytes"
echo "$other  the other one, $(wc -c <"$work/the-other-one.binary") bytes"
rustc --version
"${CC:-cc}" --version | head -n 1
ld --version 2>/dev/null | head -n 1 || true
if [ "$one" != "$other" ]; then
    keep=yes
    echo "reproducible: NO: the digests differ; both binaries are in $work" >&2
    exit 1
fi
echo "reproducible: yes, of $commit"
