#!/bin/sh
# The profiles that docs/PERFORMANCE.md describes (R116): the call graph names kernels, and however many tokens are
# written, the heap is asked for the same number of blocks.
. "$(dirname "$0")/../cli/lib/common.sh"
command -v valgrind >/dev/null || { echo "skipped: no valgrind" && exit 77; }
for kind in rwkv7 qwen2; do
	find_model $kind
	# housekeeping goes by the clock, which valgrind slows down
	set -- "$LEAT" run "$model" -p "Once upon a time" --ignore-eos --temp 0 -t 1 -q --maintain off
	for n in 3 23; do
		expect 0 valgrind --leak-check=no "$@" -n $n
		sed -n 's/.*total heap usage: \([0-9,]*\) allocs.*/\1/p' "$tmp/err" >"$tmp/allocs-$n"
		checks=$((checks + 1))
		[ -s "$tmp/allocs-$n" ] || fail "valgrind counted no blocks"
	done
	same "$tmp/allocs-3" "$tmp/allocs-23"
done
expect 0 valgrind --tool=callgrind --callgrind-out-file="$tmp/calls" "$@" -n 8
expect 0 callgrind_annotate "$tmp/calls"
out ':mv_q8_0'
expect 0 valgrind --tool=massif --massif-out-file="$tmp/heap" "$@" -n 8
expect 0 ms_print "$tmp/heap"
out '^Number of snapshots: '
finish
