#!/bin/sh
# leat synth: files that load, with the bytes per token that they promise; the same bytes for the same seed.
. "$(dirname "$0")/lib/common.sh"
free=$(df -Pk "$tmp" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt 2000000 ]; then
	echo "skipped: less than 2 GB free in $tmp"
	exit 77
fi
expect 0 "$LEAT" synth rwkv7-0.1b q8_0 "$tmp/a.gguf" --seed 5
out '^.*a\.gguf: 209[0-9]+ bytes, 342 tensors'
promised=$(sed -n 's/.* \([0-9]*\) bytes read per token$/\1/p' "$tmp/out")
expect 0 "$LEAT" inspect --verify "$tmp/a.gguf" --json
out "\"read_bytes_per_token\":$promised"
expect 2 "$LEAT" synth rwkv7-0.1b q8_0 "$tmp/a.gguf"
err 'exists'
expect 0 "$LEAT" synth rwkv7-0.1b q8_0 "$tmp/b.gguf" --seed 5
same "$tmp/a.gguf" "$tmp/b.gguf"
expect 0 "$LEAT" synth rwkv7-0.1b q8_0 "$tmp/b.gguf" --seed 6 --force
differ "$tmp/a.gguf" "$tmp/b.gguf"
rm -f "$tmp/b.gguf"
expect 0 "$LEAT" run "$tmp/a.gguf" -p "hello" -n 2 --temp 0 -q
checks=$((checks + 1))
[ -s "$tmp/out" ] || fail "the synthetic model wrote nothing"
printf 'any \377 bytes' | "$LEAT" tokenize "$tmp/a.gguf" --ids >"$tmp/ids"
"$LEAT" tokenize "$tmp/a.gguf" --decode <"$tmp/ids" >"$tmp/text"
checks=$((checks + 1))
found=$(od -An -tx1 "$tmp/text" | tr -d ' \n')
[ "$found" = 616e7920ff206279746573 ] || fail "round trip through the synthetic vocabulary"
expect 0 "$LEAT" synth rwkv7-0.1b f16 "$tmp/a.gguf" --ffn-density 0.14 --force
density=$(sed -n 's/.*estimated \([0-9.]*\) .*/\1/p' "$tmp/out")
checks=$((checks + 1))
awk -v d="$density" 'BEGIN { exit !(d > 0.10 && d < 0.18) }' || fail "density $density, asked for 0.14"
expect 2 "$LEAT" synth qwen2.5-0.5b q8_0 "$tmp/c.gguf" --ffn-density 0.14
# ended half-way: nothing is left
expect 143 timeout --preserve-status 0.2 "$LEAT" synth qwen2.5-7b f32 "$tmp/c.gguf"
checks=$((checks + 1))
[ "$(find "$tmp" -name 'c.gguf*' | wc -l)" = 0 ] || fail "a file that was not finished is left"
expect 0 "$LEAT" synth --list
# bytes read per token, MB, as the design computes them from the shapes: within 1 %
check_mb() {
	checks=$((checks + 1))
	awk -v s="$1" -v t="$2" -v mb="$3" '$1 == s && $2 == t { x = $5 / 1e6; ok = x > mb * 0.99 && x < mb * 1.01 }
		END { exit !ok }' "$tmp/out" || fail "$1 $2 does not read $3 MB per token"
}
check_mb qwen2.5-0.5b f16 988.2
check_mb qwen2.5-0.5b q8_0 525.1
check_mb rwkv7-0.1b f16 281.8
check_mb rwkv7-0.1b q8_0 154.9
check_mb rwkv7-0.4b f16 768.2
check_mb rwkv7-0.4b q8_0 422.2
check_mb rwkv7-2.9b f16 5563.0
check_mb rwkv7-2.9b q8_0 3046.4
check_mb qwen2.5-0.5b q4_k_m 391.9
check_mb qwen2.5-1.5b q4_k 868.8
check_mb qwen2.5-1.5b q4_k_m 980.1
check_mb qwen2.5-7b q4_k_m 4370.6
check_mb llama-3.2-1b q8_0 1313.3
check_mb llama-3.2-1b q4_k_m 799.9
check_mb phi3-mini q4_k 2094.6
check_mb phi3-mini q4_k_m 2337.1
check_mb rwkv7-1.5b q4_k_m 893.5
finish
