#!/bin/sh
# Builds the fuzz targets and runs each for a while: fuzz.sh SECONDS [TARGET...]
#
# 0 seconds builds them and lets each read its seeds once. It does what cargo-fuzz does, with
# cargo alone: the flags need RUSTC_BOOTSTRAP or a nightly compiler, and are for fuzz/target only.
set -eu

seconds=$1
shift
cd "$(dirname "$0")/.."

leave() {
    echo "fuzzing left out: $1"
    exit 0
}

[ "$(uname -s)" = Linux ] || leave "it is for Linux"
${CXX:-c++} --version >/dev/null 2>&1 || leave "no C++ compiler, of which libFuzzer is made (make test-deps)"
host=$(rustc -vV | sed -n 's/^host: //p')
set -- "$@"
[ $# != 0 ] || set -- $(sed -n 's/^name = "\([a-z]*\)"$/\1/p' fuzz/Cargo.toml)
found=$(find "$(rustc --print sysroot)/lib/rustlib/$host/lib" -name 'librustc*rt.asan.a')
[ -n "$found" ] || leave "this Rust has no address sanitizer"

# What fuzzing begins with, made by the plain build.
seeds=$PWD/fuzz/target/seeds
cargo run --quiet --locked --example fuzz-seeds -- "$seeds"

coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0'
# The versions of the program; what only fuzzing needs is pinned in its own Cargo.toml.
cp Cargo.lock fuzz/Cargo.lock
bins=
for target in "$@"; do bins="$bins --bin $target"; done
# With --target, the flags are not for what runs while building.
# shellcheck disable=SC2086,SC2116 # lists of words
RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/fuzz/target \
    RUSTFLAGS="--cfg fuzzing -Zsanitizer=address $(echo $coverage)" \
    cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" $bins

status=0
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    log=fuzz/target/$target.log
    limit=-max_total_time=$seconds
    [ "$seconds" != 0 ] || limit=-runs=0
    # One allocation of 256 MiB, or a second of work on a few KiB, is a finding too.
    if ASAN_OPTIONS=detect_leaks=0 "fuzz/target/$host/release/$target" \
        "$limit" -timeout=10 -rss_limit_mb=1500 -malloc_limit_mb=256 -max_len=16384 \
        -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        "fuzz/corpus/$target" "$seeds/$target" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        echo "fuzz $target: $runs runs, $edges edges, nothing found"
    else
        tail -n 60 "$log"
        echo "fuzz $target: something was found; the input is in fuzz/artifacts/$target" >&2
        status=1
    fi
done
exit $status
