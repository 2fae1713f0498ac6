#!/bin/sh
# The flags of states: what is kept in a folder for the next process, saved, gone on from, chosen by name.
. "$(dirname "$0")/lib/common.sh"

# number NAME: what the end of the JSON in $tmp/out says
number() {
	sed -n "s/.*\"event\":\"end\".*\"$1\":\([0-9]*\).*/\1/p" "$tmp/out"
}
is() {
	[ "$2" = "$3" ] || fail "$1: $2, wanted $3"
}
text() {
	grep -v '"event":"end"' "$tmp/out" >"$1"
}
i=0
while [ $i -lt 35 ]; do
	printf 'The %dth of the long list of things is not like the one before it. ' $i
	i=$((i + 1))
done >"$tmp/long"

for kind in rwkv7 qwen2; do
	find_model $kind
	# -- the same prompt in another process computes one token, and says the same
	run="$LEAT run $model --raw -f $tmp/long -n 8 --temp 0 --json -q --deterministic --state-dir $tmp/dir-$kind"
	expect 0 $run
	n=$(number n_prompt)
	[ "$n" -gt 300 ] || fail "$kind: a prompt of $n tokens"
	is "$kind: cached at first" "$(number n_cached)" 0
	text "$tmp/first"
	expect 0 $run
	is "$kind: computed after a restart" "$(number n_prompt)" 1
	is "$kind: cached after a restart" "$(number n_cached)" $((n - 1))
	text "$tmp/second"
	same "$tmp/first" "$tmp/second"
	expect 2 "$LEAT" run "$model" -p x --prefix-cache-disk 1G
	expect 2 "$LEAT" run "$model" -p x --prefix-cache-ram 1X
	expect 2 "$LEAT" run "$model" -p x --prefix-cache-ram 99999999999999999999
	expect 0 $run --prefix-cache-ram 64M --prefix-cache-disk 100MiB
	is "$kind: computed with sizes" "$(number n_prompt)" 1

	# -- saved and gone on from: as in one piece
	expect 0 "$LEAT" run "$model" --raw -p "Once upon a time" -n 6 --temp 0 -q --deterministic --ignore-eos \
		--save-state "$tmp/one"
	cp "$tmp/out" "$tmp/begin"
	expect 0 "$LEAT" run "$model" --raw --no-special -p " there" -n 6 --temp 0 -q --deterministic --ignore-eos \
		--load-state "$tmp/one" --save-state "$tmp/two"
	cp "$tmp/out" "$tmp/end"
	expect 0 "$LEAT" run "$model" --raw -p "Once upon a time" -n 6 --temp 0 -q --deterministic --ignore-eos \
		--load-state "$tmp/two"
	expect 0 "$LEAT" run "$model" --raw --no-special -p " there" -n 6 --temp 0 -q --deterministic --ignore-eos \
		--load-state "$tmp/one"
	same "$tmp/out" "$tmp/end"
	expect 2 "$LEAT" run "$model" -p Hi --load-state "$tmp/one" --system "Be brief."
	expect 2 "$LEAT" run "$model" -p Hi --load-state "$tmp/one" --state "$tmp/one"
	expect 66 "$LEAT" run "$model" -p Hi --load-state "$tmp/none"
	expect 0 "$LEAT" run "$model" -p Hi -n 2 -q --deterministic \
		--state "a=$tmp/one" --state "b=$tmp/two" --use-state b
	expect 0 "$LEAT" run "$model" -p Hi -n 2 -q --deterministic \
		--state "$tmp/one" --state "$tmp/two" --use-state one
	expect 2 "$LEAT" run "$model" -p Hi -n 2 --state "$tmp/one" --state "$tmp/two"
	expect 2 "$LEAT" run "$model" -p Hi -n 2 --state "$tmp/one" --use-state other
	expect 65 "$LEAT" run "$model" -p Hi -n 1 -q --save-state /dev/full/x

	# -- chat: the next day goes on where the last one ended
	printf 'Hello\nHow are you?\n' >"$tmp/both"
	expect 0 "$LEAT" chat "$model" -i --temp 0 -n 8 -q --deterministic <"$tmp/both"
	cp "$tmp/out" "$tmp/talk"
	printf 'Hello\n' >"$tmp/one-line"
	printf 'How are you?\n' >"$tmp/two-line"
	expect 0 "$LEAT" chat "$model" -i --temp 0 -n 8 -q --deterministic --save-state "$tmp/chat" <"$tmp/one-line"
	cp "$tmp/out" "$tmp/days"
	expect 0 "$LEAT" chat "$model" -i --temp 0 -n 8 -q --deterministic --load-state "$tmp/chat" <"$tmp/two-line"
	cat "$tmp/out" >>"$tmp/days"
	same "$tmp/days" "$tmp/talk"
	# taken back and asked again, behind the state
	printf 'Why?\n/undo\nHow are you?\n' >"$tmp/two-line"
	expect 0 "$LEAT" chat "$model" -i --temp 0 -n 8 -q --deterministic --load-state "$tmp/chat" \
		<"$tmp/two-line"
	tail -n "$(wc -l <"$tmp/days" | tr -d ' ')" "$tmp/talk" | tail -n 1 >"$tmp/a"
	tail -n 1 "$tmp/out" >"$tmp/b"
	same "$tmp/a" "$tmp/b"

	# -- one answer for each line, each behind the same state
	printf '" there"\n" here"\n' >"$tmp/lines.jsonl"
	expect 0 "$LEAT" run "$model" --prompts "$tmp/lines.jsonl" --raw --no-special -n 6 --temp 0 -q --deterministic \
		--ignore-eos --load-state "$tmp/one"
	[ "$(grep -c '"event":"result"' "$tmp/out")" = 2 ] || fail "$kind: two results behind a state"
	expect 2 "$LEAT" run "$model" --prompts "$tmp/lines.jsonl" --load-state "$tmp/one"
	expect 2 "$LEAT" run "$model" --prompts "$tmp/lines.jsonl" --save-state "$tmp/x"
done

# -- a state of another model, a folder that is in use, one that cannot be
find_model rwkv7
other=$model
find_model qwen2
expect 65 "$LEAT" run "$other" -p Hi -n 1 --load-state "$tmp/one"
err 'another model'
printf x >"$tmp/file"
expect 2 "$LEAT" run "$model" -p Hi -n 1 --state-dir "$tmp/file"

# -- a window and the cache's types
expect 0 "$LEAT" run "$model" --raw -f "$tmp/long" -n 4 --temp 0 -q --window 64
cp "$tmp/out" "$tmp/a"
expect 0 "$LEAT" run "$model" --raw -f "$tmp/long" -n 4 --temp 0 -q -ctk q8_0
expect 0 "$LEAT" run "$model" --raw -f "$tmp/long" -n 4 --temp 0 -q -ctk q8_0 --window 64 -v
expect 2 "$LEAT" run "$model" -p x -ctk q4_0
finish
