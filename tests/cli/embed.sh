#!/bin/sh
# leat embed: a line a text, the same whoever is computed beside it; pooling, length, input in every way.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" embed "$model" "Once upon a time" "The little dog ran home." "a" --deterministic
	cp "$tmp/out" "$tmp/a"
	checks=$((checks + 3))
	[ "$(wc -l <"$tmp/a")" = 3 ] || fail "not a line a text"
	awk '{ s = 0; for (i = 1; i <= NF; i++) s += $i * $i; if (s < 0.9999 || s > 1.0001) exit 1 }' "$tmp/a" ||
		fail "the vectors are not of length 1"
	[ "$(awk '{ print NF }' "$tmp/a" | sort -u | wc -l)" = 1 ] || fail "vectors of several widths"
	printf 'Once upon a time\n\nThe little dog ran home.\r\na' | "$LEAT" embed "$model" --deterministic >"$tmp/out"
	same "$tmp/out" "$tmp/a"
	printf 'Once upon a time\nThe little dog ran home.\na\n' >"$tmp/lines"
	expect 0 "$LEAT" embed "$model" -f "$tmp/lines" --deterministic -np 1
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" embed "$model" "The little dog ran home." --deterministic -t 2
	sed -n 2p "$tmp/a" >"$tmp/b"
	same "$tmp/out" "$tmp/b"
	expect 0 "$LEAT" embed "$model" "The little dog ran home." --deterministic --pooling last --normalize=off
	checks=$((checks + 1))
	cmp -s "$tmp/out" "$tmp/b" && fail "--pooling and --normalize change nothing"
	expect 0 "$LEAT" embed "$model" --json "one" "two words"
	checks=$((checks + 1))
	form='^{"schema":"leat.embed/1","index":[01],"tokens":[1-9][0-9]*,"embedding":\[[-0-9.,e]*\]}$'
	[ "$(grep -c "$form" "$tmp/out")" = 2 ] ||
		fail "JSON: $(head -c 200 "$tmp/out")"
	expect 0 "$LEAT" embed "$model" "one" "two words" -v
	err '^2 texts, [0-9]+ tokens in [0-9.]+ s: [0-9.]+ texts a second$'
done
expect 2 "$LEAT" embed "$model" -f "$tmp/lines" "text"
expect 2 "$LEAT" embed "$model" </dev/null
expect 2 "$LEAT" embed "$model" --pooling most "text"
expect 66 "$LEAT" embed "$tmp/absent" "text"
finish
