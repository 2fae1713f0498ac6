#!/bin/sh
# The program and the example under valgrind: no wrong read or write, no value that was never set, no block that is
# lost, on good input and on bad. Valgrind shows programs a processor without AVX-512, so the AVX2 kernels run.
. "$(dirname "$0")/../cli/lib/common.sh"
command -v valgrind >/dev/null || { echo "skipped: no valgrind" && exit 77; }
# Blocks that are still reachable at the end count too: main returns, so nothing need be left.
clean() {
	want=$1
	shift
	expect "$want" valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
		--errors-for-leak-kinds=all "$@"
}
find_model rwkv7
expect 0 valgrind -q --error-exitcode=99 "$LEAT" run "$model" -p a -n 1 -v
err '\(avx2\)|scalar'
for kind in rwkv7 qwen2; do
	find_model $kind
	clean 0 "$LEAT" run "$model" -p "Once upon a time" -n 4 -t 2 -q
	clean 0 "$LEAT" tokenize "$model" "Once upon a time, caf$(printf '\303\251 \377')"
	clean 0 "$build/tests/example_generate" "$model" "Once upon a time" 4
	checks=$((checks + 1))
	[ "$(wc -c <"$tmp/out")" -gt 1 ] || fail "the example wrote nothing"
done
clean 0 "$LEAT" run "$model" -p "Once upon" -n 1 --isa scalar --deterministic -q
clean 0 "$LEAT" logits "$model" -p "Once upon" --last --top 3 --reference
clean 0 "$LEAT" logits "$model" -p "Once upon" --layer-dump '*' --json
cp "$tmp/out" "$tmp/dump"
clean 0 "$LEAT" logits "$model" -p "Once upon" --layer-compare "$tmp/dump"
clean 0 "$LEAT" embed "$model" "Once upon" "a" -np 2
clean 66 "$LEAT" logits "$model" -p a --layer-dump nothing
clean 0 "$LEAT" inspect "$model" --tensors --tokenizer --memory --verify --json
# ended by a stop; by parameters that are refused; by a model that is cut short
clean 0 "$LEAT" run "$model" -p "Once" -n 8 --stop e --json
clean 2 "$LEAT" run "$model" -p "Once" -n 2 --logit-bias 99999999+1
head -c 200000 "$model" >"$tmp/cut.gguf"
clean 65 "$LEAT" run "$tmp/cut.gguf" -p "Once"
{ "$LEAT" run "$model" -p "Once upon a time" -n 30 --ignore-eos -q; echo; } >"$tmp/text" </dev/null
clean 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 16 --kl-base "$tmp/base"
clean 0 "$LEAT" perplexity "$model" --kl-base "$tmp/base" --kl
head -c 1000 "$tmp/base" >"$tmp/short"
clean 65 "$LEAT" perplexity "$model" --kl-base "$tmp/short" --kl
# a conversation: state kept, answered again, taken back
checks=$((checks + 1))
printf 'Hi\n/regen\n/undo\n/stats\n' | XDG_STATE_HOME=$tmp valgrind -q --error-exitcode=99 --leak-check=full \
	--show-leak-kinds=all --errors-for-leak-kinds=all "$LEAT" chat "$model" -i -n 3 -t 2 >"$tmp/out" 2>"$tmp/err" ||
	fail "leat chat: $(grep '^==' "$tmp/err" | head -20)"
clean 0 "$LEAT" completions zsh
clean 2 "$LEAT" run --nonsense
clean 66 "$LEAT" run "$tmp/absent" -p a
clean 0 "$LEAT" doctor "$model" --opts --effective
finish
