#!/bin/sh
# Builds the release twice, from clean copies of the checked-in tree, and compares the digests; or
# once, and compares it with a binary of somebody else: reproducible.sh [--against BINARY] [FOLDER]
#
# What may differ between two machines differs here: the folders of source, target and cargo home, the
# number of jobs, umask, language, time zone and time. What must be the same, since it is part of what
# is built: the tools, which the last lines name. A build takes minutes, the second one more of them,
# since it has a single job. Where digests differ the binaries are kept. FOLDER: for the builds.
set -eu

against=
if [ "${1:-}" = --against ]; then
    against=$(realpath "$2")
    shift 2
fi
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
if [ -z "$against" ]; then
    build the-other-one 077 LC_ALL=C.UTF-8 TZ=Pacific/Auckland CARGO_BUILD_JOBS=1
    against=$work/the-other-one.binary
fi

# sha256sum is coreutils, shasum comes with macOS.
digest() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi |
        cut -d ' ' -f 1
}

one=$(digest "$work/one.binary")
other=$(digest "$against")
echo "$one  one, $(wc -c <"$work/one.binary") bytes"
echo "$other  the other one, $(wc -c <"$against") bytes"
rustc --version
"${CC:-cc}" --version | head -n 1
ld --version 2>/dev/null | head -n 1 || true
if [ "$one" != "$other" ]; then
    keep=yes
    echo "reproducible: NO: the digests differ; see $work" >&2
    exit 1
fi
echo "reproducible: yes, of $commit"
