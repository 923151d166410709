#!/bin/sh
# Installs what the tests use beyond the build tools: test_deps.sh TARGET_DIR
#
# Packages of the system through apt-get, everything else under TARGET_DIR. What is there is left
# alone, so a second run takes a second. Tests that lack a tool skip themselves, so nothing here
# is needed to work on the code.
set -eu

target=$1
python=${PYTHON:-python3}
tools=$target/test-tools
venv=$target/test-venv
mkdir -p "$target"

has() {
    for name in "$@"; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@" </dev/null
}

# --- packages ------------------------------------------------------------------------------

# Debian's name of the command, and what else it is called elsewhere.
packages=
has chromium chromium-browser google-chrome || packages="$packages chromium"
has strace || packages="$packages strace"
has node || packages="$packages nodejs"
has curl || packages="$packages curl"
has c++ g++ clang++ || packages="$packages g++"
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || packages="$packages python3-venv"

prometheus=
if [ "$(uname -s)" = Linux ] && ! has prometheus && [ ! -x "$tools/usr/bin/prometheus" ]; then
    prometheus=wanted
fi

if [ -n "$packages$prometheus" ]; then
    if ! has apt-get || { [ "$(id -u)" != 0 ] && ! has sudo; }; then
        echo "test-deps: cannot install (no apt-get, or neither root nor sudo); please install:" \
            "$packages ${prometheus:+prometheus}" >&2
        exit 1
    fi
    apt update
    # shellcheck disable=SC2086 # a list of words
    [ -z "$packages" ] || apt install -y --no-install-recommends $packages
fi

# Unpacked, not installed: the package would start a server on this machine, now and at each boot.
if [ -n "$prometheus" ]; then
    unpacked=$target/.prometheus.$$
    mkdir -p "$unpacked/deb" "$tools"
    trap 'rm -rf "$unpacked"' EXIT
    (cd "$unpacked/deb" && apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root \
        download prometheus)
    dpkg-deb -x "$unpacked"/deb/prometheus_*.deb "$unpacked/root"
    mkdir -p "$tools/usr/bin"
    mv "$unpacked/root/usr/bin/promtool" "$unpacked/root/usr/bin/prometheus" "$tools/usr/bin/"
fi

# --- Python --------------------------------------------------------------------------------

# The list is its own stamp: the venv is made anew when it changes.
requirements='pillow>=10,<13
numpy>=1.26,<3
requests>=2.31,<3
openapi-python-client==0.29.1
openapi-spec-validator==0.9.0
schemathesis==4.32.5'

if [ "$(cat "$venv/requirements.txt" 2>/dev/null || true)" != "$requirements" ] ||
    ! "$venv/bin/python" -c 'import PIL, numpy, requests, schemathesis' >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    printf '%s\n' "$requirements" >"$venv/wanted.txt"
    "$venv/bin/python" -m pip install --quiet --retries 5 --disable-pip-version-check \
        --only-binary=:all: -r "$venv/wanted.txt"
    mv "$venv/wanted.txt" "$venv/requirements.txt"
fi

# --- cargo-deny ----------------------------------------------------------------------------

# Where cargo keeps its own, so that it outlives `make clean` and fresh clones: it is built from
# source. Little optimised, since that halves the minutes and its work here takes a second.
if ! has cargo-deny; then
    echo "test-deps: building cargo-deny (some minutes, once)"
    env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo install --quiet --locked cargo-deny
fi

echo "test-deps: everything is there"
