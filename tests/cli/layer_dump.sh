#!/bin/sh
# leat logits --points, --layer-dump, --layer-compare: what a model computes on its way, and where two part.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" logits "$model" --points
	out '^embed +[0-9]+$'
	out '^layer.out +[0-9]+  layers 0 to [0-9]+$'
	sed 's/ .*//' "$tmp/out" >"$tmp/names"
	for name in $(cat "$tmp/names"); do
		expect 0 "$LEAT" logits "$model" -p "Once upon a time" --layer-dump "$name" --json
		checks=$((checks + 1))
		[ "$(grep -c "^{\"schema\":\"leat.point/1\",\"point\":\"$name\"," "$tmp/out")" -ge 1 ] ||
			fail "$name is not shown"
	done
	expect 0 "$LEAT" logits "$model" -p "Once upon a time" --layer-dump '*' --json --deterministic
	cp "$tmp/out" "$tmp/ref"
	expect 0 "$LEAT" logits "$model" -p "Once upon a time" --layer-dump '*' --json --deterministic --chunk 1
	same "$tmp/out" "$tmp/ref"
	expect 0 "$LEAT" logits "$model" -p "Once upon a time" --layer-compare "$tmp/ref" --reference
	out '^points +[0-9]+ compared, worst e [0-9.e-]+, all within 0.05$'
	# one number of the third layer's output is another
	awk '/"layer.out","layer":2,/ { sub(/"values":\[[-0-9.e]*/, "\"values\":[99") } 1' "$tmp/ref" >"$tmp/off"
	expect 1 "$LEAT" logits "$model" -p "Once upon a time" --layer-compare "$tmp/off"
	out '^first +layer.out of layer 2: '
	expect 1 "$LEAT" logits "$model" -p "Once upon a time" --layer-compare "$tmp/off" --json
	out '"first":"layer.out","layer":2,"within":false'
	expect 1 "$LEAT" logits "$model" -p "Once upon a day" --layer-compare "$tmp/ref" --max-e 1e-4
	# the rows as ever, when they are asked for too
	"$LEAT" logits "$model" -p "Once upon a time" --layer-dump embed -o "$tmp/rows.npy" --force >/dev/null
	expect 0 "$LEAT" logits "$model" -p "Once upon a time" --compare "$tmp/rows.npy"
done
expect 66 "$LEAT" logits "$model" -p a --layer-dump nothing
err "no point 'nothing'"
expect 2 "$LEAT" logits "$model" -p a --layer-dump ,
echo '{"point":"embed"}' >"$tmp/bad"
expect 65 "$LEAT" logits "$model" -p a --layer-compare "$tmp/bad"
err 'line 1 is none of'
expect 66 "$LEAT" logits "$model" -p a --layer-compare "$tmp/absent"
finish
