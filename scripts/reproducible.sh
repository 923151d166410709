#!/bin/sh
# Builds the release twice, from clean copies of the checked-in tree in two folders with two cargo
# homes, and compares the digests: reproducible.sh [FOLDER FOR THE BUILDS]
#
# Takes twice the time of a full release build. The crates must be in cargo's cache (`cargo fetch`).
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/reproducible.XXXXXX")
trap 'rm -rf "$work"' EXIT
cargo fetch --quiet --locked
home=${CARGO_HOME:-$HOME/.cargo}

# Of different lengths, so that no two paths agree by chance.
for folder in one the-other-one; do
    mkdir -p "$work/$folder/source" "$work/$folder/home"
    git archive HEAD | tar -x -C "$work/$folder/source"
    # The same downloads under another path: what of a home is not a download stays out.
    for part in registry git config.toml; do
        [ ! -e "$home/$part" ] || ln -s "$home/$part" "$work/$folder/home/$part"
    done
    echo "reproducible: building in $work/$folder"
    env CARGO_HOME="$work/$folder/home" CARGO_TARGET_DIR="$work/$folder/built" \
        "$work/$folder/source/scripts/build_release.sh" --quiet --offline
    cp "$work/$folder/built/release/safelight" "$work/$folder.binary"
    # Each build takes gigabytes.
    rm -rf "$work/$folder"
done

# sha256sum is coreutils, shasum comes with macOS.
digest() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi |
        cut -d ' ' -f 1
}

one=$(digest "$work/one.binary")
other=$(digest "$work/the-other-one.binary")
echo "$one  one"
echo "$other  the other one"
if [ "$one" != "$other" ]; then
    echo "reproducible: NO: the digests differ" >&2
    cmp -l "$work/one.binary" "$work/the-other-one.binary" | wc -l >&2
    exit 1
fi
echo "reproducible: yes ($(rustc --version))"
