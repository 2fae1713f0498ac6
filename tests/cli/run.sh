#!/bin/sh
# leat run: only text on standard output, seeds, stops, lengths, prompts from everywhere.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 20 --seed 7
	cp "$tmp/out" "$tmp/a"
	err 'seed 7\]'
	err '20 out'
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 20 --seed 7 -q
	empty err
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 20 --seed 7 --timings off
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" Once upon a time -n 20 --seed=7 -q
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run -m "$model" "Once upon" "a time" -n20 -s 7 -q
	same "$tmp/out" "$tmp/a"
	expect 0 env LEAT_MODEL="$model" LEAT_N_PREDICT=20 LEAT_SEED=7 LEAT_QUIET=yes "$LEAT" run -p "Once upon a time"
	same "$tmp/out" "$tmp/a"
	printf 'Once upon a time' >"$tmp/prompt"
	expect 0 "$LEAT" run "$model" -f "$tmp/prompt" -n 20 --seed 7 -q
	same "$tmp/out" "$tmp/a"
	"$LEAT" run "$model" -n 20 --seed 7 -q <"$tmp/prompt" >"$tmp/out"
	same "$tmp/out" "$tmp/a"
	"$LEAT" run "$model" - -n 20 --seed 7 -q <"$tmp/prompt" >"$tmp/out"
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 20 --seed 8 -q --temp 2 --top-p 1 --top-k 0 --min-p 0
	differ "$tmp/out" "$tmp/a"

	# greedy does not depend on the seed
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 0 -q --seed 1
	cp "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 0 -q --seed 2
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 1 -v --isa scalar
	err 'engine: .*\(scalar\)'
	expect 2 "$LEAT" run "$model" -p "Once upon" --isa sse9
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 0 -q --deterministic -t 1
	cp "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 0 -q --deterministic -t 2 -b 1
	same "$tmp/out" "$tmp/a"

	# the largest seed is a seed
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 4 --seed 18446744073709551615
	err 'seed 18446744073709551615\]'
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 4 --seed 18446744073709551615 --json
	out '"seed":18446744073709551615,'

	# a random seed is reported and gives the same text again
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 3 --top-p 1 --top-k 0
	cp "$tmp/out" "$tmp/a"
	seed=$(sed -n 's/.*| seed \([0-9]*\)\]$/\1/p' "$tmp/err")
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 12 --temp 3 --top-p 1 --top-k 0 --seed "$seed" -q
	same "$tmp/out" "$tmp/a"

	# a stop text cuts the answer before itself
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 40 --temp 0 -q --ignore-eos
	cp "$tmp/out" "$tmp/a"
	stop=$(tail -c +9 "$tmp/a" | head -c 3)
	if [ -n "$stop" ] && [ "$(printf %s "$stop" | LC_ALL=C tr -d ' -~' | wc -c)" = 0 ]; then
		expect 0 "$LEAT" run "$model" -p "Once upon" -n 40 --temp 0 --ignore-eos --stop "never in a text" \
			--stop "$stop"
		err '\| stop \|'
		checks=$((checks + 2))
		grep -Fq -- "$stop" "$tmp/out" && fail "the stop text was written"
		head -c "$(wc -c <"$tmp/out")" "$tmp/a" | cmp -s - "$tmp/out" || fail "text before the stop differs"
	fi

	# no tokens; a forbidden token
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 1 --temp 0 --json
	id=$(sed -n 's/.*"event":"token".*"id":\([0-9]*\).*/\1/p' "$tmp/out")
	expect 0 "$LEAT" run "$model" -p "Once upon" -n 1 --temp 0 --json --logit-bias "$id-inf"
	out '"event":"token"'
	checks=$((checks + 1))
	grep -q "\"id\":$id," "$tmp/out" && fail "a token with bias -inf was drawn"
done
finish
