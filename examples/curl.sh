#!/bin/sh
# Removes the background of one picture: examples/curl.sh PICTURE RESULT.png [name=value...]
set -eu

url=${SAFELIGHT_URL:-http://127.0.0.1:8080}
picture=$1
result=$2
shift 2

# Options are form fields beside the picture.
for option in "$@"; do
    set -- "$@" --form-string "$option"
    shift
done

# The answer goes to a file of its own first: an error is JSON, and must not end up as a picture.
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=$(curl --silent --show-error --form "file=@$picture" "$@" \
    --output "$answer" --write-out '%{http_code}' "$url/v1/remove-background")

if [ "$status" = 200 ]; then
    cp "$answer" "$result"
else
    # `detail` says what was wrong, with the limit, the actual figure and the setting.
    sed -n 's/.*"detail":"\([^"]*\)".*/\1/p' "$answer" >&2
    exit 1
fi
