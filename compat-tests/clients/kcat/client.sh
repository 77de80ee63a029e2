#!/usr/bin/env bash
# The steps with kcat: client.sh --steps LIST BOOTSTRAP TOPIC. kcat creates topics by producing to them, so each codec has
# a topic of its own, of one partition; it sets no timestamps, so the clock between two batches is what is asked for.
set -uo pipefail
[[ $# == 4 && $1 == --steps ]] || { echo "usage: client.sh --steps LIST BOOTSTRAP TOPIC" >&2; exit 2; }
IFS=, read -ra steps <<<"$2"
broker=$3 topic=$4 code=0
dohle=$(printf 'dohle%.0s' {1..20})
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

records() { for ((i = $2; i < $3; i++)); do printf 'k%d\t%s-%02d %s\n' "$i" "$1" "$i" "$dohle"; done; }
write() { records "$1" "$2" "$3" | timeout 60 kcat -m 40 -b "$broker" -P -t "$topic-$1" -p 0 -z "$1" -K $'\t' -H codec="$1" -X retries=100; }
offsets() { timeout 60 kcat -m 40 -b "$broker" -C -t "$topic-$1" -p 0 -o "$2" -c "$3" -q -f '%o\n'; }
span() { awk 'NR==1{f=$1} {l=$1} END{print f ".." l}'; }

produce() {
  write "$1" 0 10 || return
  if [[ $1 == none ]]; then sleep 0.05; date +%s%3N >"$scratch/middle"; sleep 0.05; fi
  write "$1" 10 20 || return
  echo "20 records at $(offsets "$1" beginning 20 | span)"
}

consume() {
  timeout 60 kcat -m 40 -b "$broker" -C -t "$topic-$1" -p 0 -o beginning -e -q -f '%o\t%k\t%s\t%h\n' >"$scratch/read" || return
  echo "$(wc -l <"$scratch/read") records, sha256 $(sha256sum <"$scratch/read" | cut -c1-8)"
}

# The first member reads 30 records, the second what is left: all of them once.
group() {
  local member=(timeout 60 kcat -m 40 -b "$broker" -X auto.offset.reset=earliest -q -f '%t %o\n' -G "$topic-group") topics=()
  for c in none gzip snappy lz4 zstd; do topics+=("$topic-$c"); done
  "${member[@]}" -c 30 "${topics[@]}" >"$scratch/first" 2>"$scratch/err" || { cat "$scratch/err" >&2; return 1; }
  "${member[@]}" -c 70 "${topics[@]}" >"$scratch/second" 2>"$scratch/err" || { cat "$scratch/err" >&2; return 1; }
  local once
  once=$(sort -u "$scratch/first" "$scratch/second" | wc -l)
  if [[ $once == 100 && $(wc -l <"$scratch/first") == 30 ]]; then echo "resumed exactly"; else echo "$once different records read of 100"; fi
}

step() {
  case $1 in
    connect) kcat -m 40 -b "$broker" -L | awk '/ brokers:/{print $1 " broker"}' ;;
    describe-cluster) kcat -m 40 -b "$broker" -L -J | python3 -c 'import json,sys; m=json.load(sys.stdin); print("brokers %d, controller %d" % (m["brokers"][0]["id"], m["controllerid"]))' ;;
    list-topics) kcat -m 40 -b "$broker" -L | grep -q "\"$topic-none\"" && echo "in the list" ;;
    produce-*) produce "${1#produce-}" ;;
    consume-*) consume "${1#consume-}" ;;
    timestamp) timeout 60 kcat -m 40 -b "$broker" -C -t "$topic-none" -p 0 -o "s@$(cat "$scratch/middle")" -c 1 -q -f 'offset %o, key %k\n' ;;
    group) group ;;
    *) echo "not in this client"; return 1 ;;
  esac
}

for s in "${steps[@]}"; do
  result=$(step "$s" 2>"$scratch/stderr") || { result="failed: $(tr '\n' ' ' <"$scratch/stderr")$result"; code=1; }
  echo "$s: $result"
done
exit $code
