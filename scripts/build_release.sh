#!/bin/sh
# Builds the binary that is shipped, without the paths of this machine in it: build_release.sh
# [CARGO OPTIONS]
#
# A compiler writes the paths of sources into what it builds (for the places of panics), so two
# folders would give two binaries. Here those paths are replaced by fixed ones. The plain
# `make build` leaves them as they are: its flags would be others, and everything built anew.
# Two builds in two folders are not the same byte for byte yet; `scripts/reproducible.sh` looks.
set -eu
cd "$(dirname "$0")/.."

here=$(pwd)
home=${CARGO_HOME:-$HOME/.cargo}
target=${CARGO_TARGET_DIR:-$here/target}

# Of several that match, rustc takes the last one, so the inner folder stands after the outer one.
# 0x1f is what cargo splits this variable at: a folder may have a space in its name.
CARGO_ENCODED_RUSTFLAGS=$(printf '%s\037%s\037%s' "--remap-path-prefix=$here=/safelight" \
    "--remap-path-prefix=$target=/target" "--remap-path-prefix=$home=/cargo")
# libwebp is C: its compiler writes paths too.
CFLAGS="${CFLAGS:-} -ffile-prefix-map=$here=/safelight -ffile-prefix-map=$target=/target \
-ffile-prefix-map=$home=/cargo"
export CARGO_ENCODED_RUSTFLAGS CFLAGS
unset RUSTFLAGS
# A crash in a release is worth a symbol; an unfinished build is not.
export CARGO_INCREMENTAL=0

exec cargo build --release --locked "$@"
