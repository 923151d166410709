#!/bin/sh
# Builds the binary that is shipped, without the paths of this machine in it: build_release.sh
# [CARGO OPTIONS]
#
# A compiler writes the paths of sources into what it builds (for the places of panics), so two
# folders would give two binaries. Here those paths are replaced by fixed ones. The plain
# `make build` leaves them as they are: its flags would be others, and everything built anew.
# `scripts/reproducible.sh` shows that two such builds are the same byte for byte.
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
export CARGO_INCREMENTAL=0

# No symbols: LLVM names what one codegen unit lends another after a hash of its intermediate code,
# in which the order of some operands follows the compiler's own addresses in memory. So these names
# differ from build to build (https://github.com/rust-lang/rust/issues/126976), while the machine code
# is the same. Given to the last step only: as a setting of the profile it would enter the hash that
# all symbols have, and a build with symbols (without this one flag) would have other addresses.
exec cargo rustc --release --locked --bin safelight "$@" -- -C strip=symbols
