#!/bin/sh
# The programs in examples/: each does what its first lines say, and says what is wrong otherwise.
. "$(dirname "$0")/lib/common.sh"
programs=$build/tests/example_
[ -x "${programs}generate" ] || { echo "skipped: this build has no examples" && exit 77; }

for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "${programs}generate" "$model" "Once upon a time" 8
	out '.'

	# the callback ends the answer behind its second sentence
	expect 0 "${programs}stream" "$model" "Once upon a time" 2
	err '^[0-9]+ tokens, [0-9.]+ a second, [0-9.]+ nats each, seed [0-9]+$'
	checks=$((checks + 1))
	tokens=$(sed -n 's/^\([0-9]*\) tokens.*/\1/p' "$tmp/err")
	marks=$(tr -cd '.!?' <"$tmp/out" | wc -c)
	[ "$marks" -ge 2 ] || [ "$tokens" = 400 ] || fail "$marks ends of sentences in $tokens tokens"

	expect 0 "${programs}async" "$model" "Once upon a time" "The little dog" "One day"
	checks=$((checks + 1))
	[ "$(sed -n 's/^\([0-9]\): .*/\1/p' "$tmp/out" | sort | tr -d '\n')" = 123 ] || fail "async: $(cat "$tmp/out")"

	# the same seed, in any company
	expect 0 "${programs}batch" "$model" "Once upon a time" "The little dog" "One day"
	grep '^One day ->.' "$tmp/out" >"$tmp/a"
	expect 0 "${programs}batch" "$model" "One day"
	same "$tmp/out" "$tmp/a"

	expect 0 "${programs}load" "$model" 100
	out "^[^:]*: $kind, [0-9.]+ million weights"
	out 'an engine for 100 tokens: [0-9]+ bytes of copied weights, [1-9][0-9]* of state'
	err 'weights +100 %'

	# nothing is added at strength 0; away and towards differ from it
	expect 0 "${programs}control_vector" "$model" "The happy girl smiled" "The sad dog cried" "One day" 4
	checks=$((checks + 2))
	[ "$(grep -c '^[-+][0-9.]*: One day' "$tmp/out")" = 3 ] || fail "control_vector: $(cat "$tmp/out")"
	plain=$("$LEAT" run "$model" -p "One day" --temp 0 -n 40 --repeat-penalty 1 --presence-penalty 0 \
		--frequency-penalty 0 -q </dev/null | head -n 1)
	grep -qF "+0.0: One day$plain" "$tmp/out" || fail "strength 0 wrote $(grep '+0.0' "$tmp/out"), wanted $plain"
	checks=$((checks + 1))
	[ "$(sed 's/^[-+][0-9.]*: //' "$tmp/out" | sort -u | wc -l)" -ge 3 ] || fail "a vector that moves nothing"

	# Branches know what the text before them was, and go on as the whole text would.
	expect 0 "${programs}state" "$model" "$tmp/story.state" "Once upon a time there was a" " dog" " girl"
	checks=$((checks + 2))
	[ "$(grep -c '^\[1 tokens read, 7 known already\]$' "$tmp/out")" = 2 ] || fail "state: $(cat "$tmp/out")"
	branch=$(sed -n 's/^ dog//p' "$tmp/out")
	whole=$("$LEAT" run "$model" -p "Once upon a time there was a dog" --temp 0 -n 12 -q </dev/null)
	[ "$branch" = "$whole" ] || fail "the branch wrote '$branch', the whole text '$whole'"
done
for name in generate stream async batch state control_vector; do
	expect 2 "${programs}$name" "$model"
	err "^usage: $name MODEL "
done
expect 1 "${programs}load" /dev/null
err '^load: /dev/null: found a device, wanted a regular file \[invalid_value\]$'
expect 1 "${programs}batch" "$tmp/absent" a
err '^batch: .*absent'
expect 1 "${programs}state" "$model" "$tmp/no/such/folder" a b
err '^state: '
finish
