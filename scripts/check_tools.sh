#!/bin/sh
# Says in one go which of the few tools that a build needs are missing, and how to get them.
set -u

python=${PYTHON:-python3}
least_rust=1.92
missing=0

lacks() {
    printf 'missing: %s\n' "$1" >&2
    missing=1
}

# Whether version $1 (1.95.0) is at least $2 (1.92); the later parts do not matter here.
at_least() {
    [ "${1%%.*}" -gt "${2%%.*}" ] && return 0
    [ "${1%%.*}" -lt "${2%%.*}" ] && return 1
    minor=${1#*.}
    [ "${minor%%.*}" -ge "${2#*.}" ]
}

if ! command -v cargo >/dev/null 2>&1 || ! rust=$(rustc --version 2>/dev/null); then
    lacks "Rust $least_rust or newer: install it with rustup"
else
    rust=$(printf '%s' "$rust" | cut -d ' ' -f 2)
    at_least "$rust" "$least_rust" ||
        lacks "Rust $least_rust or newer, this is $rust: \`rustup update stable\`"
fi

${CC:-cc} --version >/dev/null 2>&1 ||
    lacks "a C compiler (libwebp is built from source): \`apt-get install gcc libc6-dev\`, on macOS \`xcode-select --install\`"

# Run from make it is there; alone, this script is also what a newcomer runs first.
command -v make >/dev/null 2>&1 ||
    lacks "make: \`apt-get install make\`, on macOS \`xcode-select --install\`"

# The ONNX Runtime library comes through pip.
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
    lacks "Python 3.8 or newer: \`apt-get install python3 python3-pip\`"
elif ! "$python" -m pip --version >/dev/null 2>&1; then
    lacks "pip for $python: \`apt-get install python3-pip\`, elsewhere \`$python -m ensurepip\`"
fi

exit $missing
