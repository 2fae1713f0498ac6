#!/bin/sh
# leat tokenize: any bytes go to ids and come back.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	printf 'Hello, world! h\303\251llo \360\237\230\200\n\n  two  spaces\t\r\n123456' >"$tmp/text1"
	printf 'broken \377\376 \303( \355\240\200 \360\237 utf-8' >"$tmp/text2"
	printf '\000\001\002 zeros \000' >"$tmp/text3"
	printf '<|endoftext|> <|im_start|>' >"$tmp/text4"
	: >"$tmp/text5"
	for n in 1 2 3 4 5; do
		"$LEAT" tokenize "$model" --ids --no-special <"$tmp/text$n" >"$tmp/ids" || fail "tokenize text$n"
		checks=$((checks + 2))
		[ "$(wc -l <"$tmp/ids")" = 1 ] || fail "--ids is not one line"
		"$LEAT" tokenize "$model" --decode --no-special <"$tmp/ids" >"$tmp/back" || fail "decode text$n"
		same "$tmp/text$n" "$tmp/back"
		expect 0 "$LEAT" tokenize "$model" --count --no-special -f "$tmp/text$n"
		checks=$((checks + 1))
		[ "$(cat "$tmp/out")" = "$(wc -w <"$tmp/ids" | tr -d ' ')" ] || fail "--count of text$n"
	done
	expect 0 "$LEAT" tokenize "$model" "Hello"
	cp "$tmp/out" "$tmp/a"
	printf Hello | "$LEAT" tokenize "$model" >"$tmp/out"
	same "$tmp/out" "$tmp/a"
	expect 0 "$LEAT" tokenize "$model" --pieces "a"
	out '^"a"$'
	expect 2 "$LEAT" tokenize "$model" --ids --count a
	expect 2 "$LEAT" tokenize "$model" --decode 'x'
	expect 65 "$LEAT" tokenize "$model" --decode '99999999'
done
# --tokenizer takes any vocabulary: another model's, the plain bytes.
find_model rwkv7
other=$model
find_model qwen2
"$LEAT" tokenize "$other" --tokenizer "$model" --ids "Hello there" >"$tmp/a"
"$LEAT" tokenize "$model" --ids "Hello there" >"$tmp/b"
checks=$((checks + 1))
same "$tmp/a" "$tmp/b"
expect 0 "$LEAT" tokenize "$model" --tokenizer bytes --ids --no-special "Az"
out '^65 122$'
printf '{"model":{"type":"Odd"}}' >"$tmp/tokenizer.json"
expect 65 "$LEAT" tokenize "$model" --tokenizer "$tmp" "a"
err 'the type "Odd"'
# SentencePiece: the space before the text comes and goes.
spm="$oracle/tokenizers/ggml-vocab-phi-3.gguf"
if [ -f "$spm" ]; then
	printf '  two \303\251\377 ' >"$tmp/text6"
	"$LEAT" tokenize "$spm" --ids --no-special -f "$tmp/text6" >"$tmp/ids" || fail "tokenize text6"
	"$LEAT" tokenize "$spm" --decode --no-special <"$tmp/ids" >"$tmp/back" || fail "decode text6"
	checks=$((checks + 1))
	same "$tmp/text6" "$tmp/back"
fi
finish
