#!/bin/sh
# leat doctor and leat inspect: what they say about machine and model.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
expect 0 "$LEAT" doctor
out '^ok +cpu|^warn +cpu'
out '^(ok|warn) +memory'
expect 0 "$LEAT" doctor "$model" --opts
out '^ok +model +rwkv7'
out '^opt '
expect 1 "$LEAT" doctor "$tmp/absent.gguf"
out '^fail +model'
expect 0 env LEAT_TEMP=0.5 "$LEAT" doctor --effective
out '^set +temp +0\.5 +environment: LEAT_TEMP'
out '^set +top-p +- +worked out'
expect 0 env LEAT_MODEL="$model" "$LEAT" doctor
out '^ok +model'

for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" inspect "$model" --verify --memory --tokenizer --metadata --tensors
	out "^model +$kind"
	out '^verify +ok'
	out '^memory '
	out '^tokenizer '
	out '^general\.architecture '
	out '^token_embd\.weight '
	cp "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" info "$model" --verify --memory --tokenizer --metadata --tensors
	sed -i '/free here/d' "$tmp/out" "$tmp/a"
	same "$tmp/out" "$tmp/a"
done
finish
