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
node=$target/test-node
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
has valgrind || packages="$packages valgrind"
has node || packages="$packages nodejs"
has npm || packages="$packages npm"
has curl || packages="$packages curl"
has c++ g++ clang++ || packages="$packages g++"
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || packages="$packages python3-venv"

# Servers, which are only unpacked.
servers=
if [ "$(uname -s)" = Linux ]; then
    for name in prometheus haproxy nginx caddy; do
        has "$name" || [ -x "$tools/usr/bin/$name" ] || servers="$servers $name"
    done
    has bwrap || packages="$packages bubblewrap"
    has openssl || packages="$packages openssl"
    has systemd-analyze || packages="$packages systemd"
fi

if [ -n "$packages$servers" ]; then
    if ! has apt-get || { [ "$(id -u)" != 0 ] && ! has sudo; }; then
        echo "test-deps: cannot install (no apt-get, or neither root nor sudo); please install:" \
            "$packages$servers" >&2
        exit 1
    fi
    apt update
    # shellcheck disable=SC2086 # a list of words
    [ -z "$packages" ] || apt install -y --no-install-recommends $packages
fi

# Unpacked, not installed: the packages would start servers on this machine, now and at each boot.
# Their libraries are installed; those start nothing.
if [ -n "$servers" ]; then
    unpacked=$target/.servers.$$
    mkdir -p "$unpacked/deb" "$tools/usr/bin"
    trap 'rm -rf "$unpacked"' EXIT
    # shellcheck disable=SC2086 # a list of words
    libraries=$(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances $servers |
        sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -v '^libjs-' | sort -u)
    # shellcheck disable=SC2086
    apt install -y --no-install-recommends $libraries
    # shellcheck disable=SC2086
    (cd "$unpacked/deb" && apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root \
        download $servers)
    for package in "$unpacked"/deb/*.deb; do
        dpkg-deb -x "$package" "$unpacked/tree"
    done
    for name in prometheus promtool haproxy nginx caddy; do
        for folder in bin sbin; do
            program=$unpacked/tree/usr/$folder/$name
            [ ! -f "$program" ] || mv "$program" "$tools/usr/bin/"
        done
    done
fi

# --- Python --------------------------------------------------------------------------------

# The list is its own stamp: the venv is made anew when it changes.
requirements='pillow>=10,<13
numpy>=1.26,<3
requests>=2.31,<3
onnxruntime>=1.24,<2
openapi-python-client==0.29.1
openapi-spec-validator==0.9.0
schemathesis==4.32.5
kubernetes-validate>=1.30,<2
check-jsonschema>=0.29,<1
cyclonedx-python-lib[json-validation]>=8,<12'
# Clients: of one its author published no wheel, of the other only the part runs whose imports are
# in the list above.
clients='removebg==0.04 withoutbg==1.1.1'

if [ "$(cat "$venv/requirements.txt" 2>/dev/null || true)" != "$requirements" ] ||
    ! "$venv/bin/python" -c 'import PIL, numpy, removebg, requests, schemathesis, importlib.metadata as m; m.version("withoutbg")' >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    printf '%s\n' "$requirements" >"$venv/wanted.txt"
    "$venv/bin/python" -m pip install --quiet --retries 5 --disable-pip-version-check \
        --only-binary=:all: -r "$venv/wanted.txt"
    # shellcheck disable=SC2086 # a list of words
    "$venv/bin/python" -m pip install --quiet --retries 5 --disable-pip-version-check \
        --no-deps $clients
    mv "$venv/wanted.txt" "$venv/requirements.txt"
fi

# --- Node ----------------------------------------------------------------------------------

# A client of remove.bg, as it is published. Nothing of it is run while it is installed.
client=remove.bg@1.3.0
if [ "$(cat "$node/client.txt" 2>/dev/null || true)" != "$client" ]; then
    rm -rf "$node"
    mkdir -p "$node"
    (cd "$node" && npm install --silent --no-audit --no-fund --ignore-scripts "$client")
    printf '%s\n' "$client" >"$node/client.txt"
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
