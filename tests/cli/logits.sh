#!/bin/sh
# leat logits: files written, comparison and its verdict.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	text="the quick brown fox"
	rm -f "$tmp"/*.f32 "$tmp"/*.npy
	expect 0 "$LEAT" logits "$model" -p "$text" -o "$tmp/a.f32"
	n=$("$LEAT" tokenize "$model" --count "$text")
	rows=$("$LEAT" inspect "$model" --json | sed 's/.*"n_rows":\([0-9]*\).*/\1/')
	checks=$((checks + 1))
	[ "$(wc -c <"$tmp/a.f32")" = $((n * rows * 4)) ] || fail "size of a.f32"
	expect 0 "$LEAT" logits "$model" -p "$text" --compare "$tmp/a.f32" --max-e 0
	out "$n of $n equal outright"
	out '^verdict  within'
	"$LEAT" logits "$model" -p "$text" >"$tmp/piped.f32"
	same "$tmp/a.f32" "$tmp/piped.f32"
	ids=$("$LEAT" tokenize "$model" --ids "$text")
	expect 0 "$LEAT" logits "$model" --tokens "$ids" --compare "$tmp/a.f32" --rtol 0 --atol 0

	# another text is another result
	other=$(echo "$ids" | awk '{ $1 = $1 == 1 ? 2 : 1; print }')
	expect 0 "$LEAT" logits "$model" --tokens "$other" -o "$tmp/b.f32"
	expect 1 "$LEAT" logits "$model" -p "$text" --compare "$tmp/b.f32"
	out '^verdict  outside'
	expect 1 "$LEAT" logits "$model" -p "$text" --compare "$tmp/b.f32" --rtol 1e-6 --atol 1e-6
	expect 0 "$LEAT" logits "$model" -p "$text" --compare "$tmp/b.f32" --max-e 1e9

	# not a number is not agreement
	cp "$tmp/a.f32" "$tmp/nan.f32"
	printf '\000\000\300\177' | dd of="$tmp/nan.f32" conv=notrunc bs=4 seek=1 2>/dev/null
	expect 1 "$LEAT" logits "$model" -p "$text" --compare "$tmp/nan.f32"

	# not a number in the model: rows are written, said, and never ranked first. Row 5 of the head, or of the
	# embedding that is the head too, begins with a Q8_0 scale.
	offset=$("$LEAT" inspect "$model" --tensors --json |
		sed -n 's/.*"name":"output.weight","type":"Q8_0","bytes":557056,"offset":\([0-9]*\),.*/\1/p')
	[ -n "$offset" ] || offset=$("$LEAT" inspect "$model" --tensors --json |
		sed -n 's/.*"name":"token_embd.weight","type":"Q8_0","bytes":557056,"offset":\([0-9]*\),.*/\1/p')
	if [ -n "$offset" ]; then
		cp "$model" "$tmp/nan.gguf"
		printf '\000\176' | dd of="$tmp/nan.gguf" conv=notrunc bs=1 seek=$((offset + 5 * 272)) 2>/dev/null
		rm -f "$tmp/rows.f32"
		expect 70 "$LEAT" logits "$tmp/nan.gguf" --tokens 7,8,9 -o "$tmp/rows.f32" --top 1000
		err '^leat: 3 of 3 rows hold a NaN or an infinity; the first is row 0, token 7$'
		checks=$((checks + 3))
		[ "$(wc -l <"$tmp/err")" = 1 ] || fail "wanted one line on stderr"
		[ "$(wc -c <"$tmp/rows.f32")" = $((3 * rows * 4)) ] || fail "the rows were not written"
		awk '$2 == 5 || /nan/ { bad = 1 } END { exit bad || NR != 3000 }' "$tmp/out" ||
			fail "a NaN is among the best thousand, or a share is one"
		expect 70 "$LEAT" logits "$tmp/nan.gguf" --tokens 7,8,9 --json --top 3
		err '"code":"model_nonfinite".*"status":-14,"exit":70'
		checks=$((checks + 1))
		grep -Eq '"id":5,|null' "$tmp/out" && fail "a NaN is among the best three, or its share is"
		expect 70 "$LEAT" logits "$tmp/nan.gguf" --tokens 7,8,9 --last --top 3
		err '1 of 1 rows .* row 2, token 9'
	fi

	# .npy and .jsonl
	expect 0 "$LEAT" logits "$model" -p "$text" -o "$tmp/a.npy"
	expect 0 "$LEAT" logits "$model" -p "$text" --compare "$tmp/a.npy" --max-e 0
	tail -c $((n * rows * 4)) "$tmp/a.npy" >"$tmp/tail.f32"
	same "$tmp/tail.f32" "$tmp/a.f32"
	rm -f "$tmp/a.jsonl"
	expect 0 "$LEAT" logits "$model" -p "$text" -o "$tmp/a.jsonl"
	checks=$((checks + 1))
	[ "$(wc -l <"$tmp/a.jsonl")" = "$n" ] || fail "lines of a.jsonl"

	# the last row; overwriting; sizes that do not fit
	expect 0 "$LEAT" logits "$model" -p "$text" --last -o "$tmp/last.f32"
	tail -c $((rows * 4)) "$tmp/a.f32" >"$tmp/tail.f32"
	same "$tmp/last.f32" "$tmp/tail.f32"
	expect 2 "$LEAT" logits "$model" -p "$text" -o "$tmp/a.f32"
	err 'exists'
	expect 0 "$LEAT" logits "$model" -p "$text" -o "$tmp/a.f32" --force
	expect 65 "$LEAT" logits "$model" -p "$text" --compare "$tmp/last.f32"
	expect 66 "$LEAT" logits "$model" -p "$text" --compare "$tmp/absent.f32"
	expect 2 "$LEAT" logits "$model" -p "$text" --max-e 1
	expect 0 "$LEAT" logits "$model" -p "$text" --top 2
	checks=$((checks + 1))
	[ "$(wc -l <"$tmp/out")" = $((n * 2)) ] || fail "lines of --top 2"

	# the same bits for every chunk and thread count
	expect 0 "$LEAT" logits "$model" -p "$text" --deterministic -t 1 -o "$tmp/d.f32"
	for chunk in 1 3 7; do
		rm -f "$tmp/e.f32"
		expect 0 "$LEAT" logits "$model" -p "$text" --deterministic -t 2 --chunk $chunk -o "$tmp/e.f32"
		same "$tmp/d.f32" "$tmp/e.f32"
	done
	# and near the reference
	expect 0 "$LEAT" logits "$model" -p "$text" --reference -o "$tmp/ref.f32"
	expect 0 "$LEAT" logits "$model" -p "$text" --compare "$tmp/ref.f32"
	checks=$((checks + 1))
	[ "$(find "$tmp" -name '*.f32.*' | wc -l)" = 0 ] || fail "temporary files were left"
	rm -f "$tmp"/*.jsonl "$tmp"/*.npy
done
finish
