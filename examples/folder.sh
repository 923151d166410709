#!/bin/sh
# Removes the background of every picture in a folder: examples/folder.sh FOLDER RESULTS
#
# Four uploads at a time keep a small machine busy. A service that is full answers 503 and says in
# Retry-After when to come again; curl waits for as long as it says. Ends with 1 if any failed.
set -eu

url=${SAFELIGHT_URL:-http://127.0.0.1:8080}
mkdir -p "$2"

find "$1" -maxdepth 1 -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 |
    URL="$url/v1/remove-background" RESULTS=$2 xargs -0 -n 1 -P 4 sh -c '
        name=$(basename "$1")
        curl --silent --show-error --fail --retry 5 --retry-max-time 120 \
            --form "file=@$1" --form format=png \
            --output "$RESULTS/${name%.*}.png" "$URL" || { echo "failed: $name" >&2; exit 1; }
    ' folder
