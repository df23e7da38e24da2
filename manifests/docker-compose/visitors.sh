#!/bin/sh
# Visitors who come again and again, each with the cookies of before: they open the page, load what it names, and look at
# the stock. Usage: visitors.sh [address of the site] [visitors] [seconds between two visits]
site=${1:-http://127.0.0.1:10000}
visitors=${2:-100}
pause=${3:-0.1}

jars=$(mktemp -d)
trap 'rm -rf "$jars"' EXIT
trap exit INT TERM

visit() {
    page=$(curl -s -b "$1" -c "$1" -H 'sec-fetch-dest: document' "$site/$2")
    assets=$(echo "$page" | sed -n 's/.*"\(assets\/[^"]*\)".*/\1/p')
    for path in $assets api/stock; do
        echo "url = \"$site/$path\""
        echo 'output = /dev/null'
    done | curl -s -b "$1" -c "$1" -H 'sec-fetch-dest: empty' --config -
}

while :; do
    number=0
    while [ "$number" -lt "$visitors" ]; do
        number=$((number + 1))
        visit "$jars/$number"
        sleep "$pause"
    done
    # Somebody new, with a link that nobody has signed.
    rm -f "$jars/1"
    visit "$jars/1" '?canary=v2'
done
