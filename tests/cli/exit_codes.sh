#!/bin/sh
# Exit codes and messages of bad command lines and bad files.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7

expect 2 "$LEAT"
empty out
expect 2 "$LEAT" rnu
err "did you mean 'run'"
err "try 'leat --help'"
expect 2 "$LEAT" run "$model" -p a --tmep 1
err "did you mean '--temp'"
err '^usage: leat run '
err "try 'leat run --help'"
empty out
expect 2 "$LEAT" run "$model" -p a --zzzzzz
expect 2 "$LEAT" run "$model" -p
err 'needs a value'
expect 2 "$LEAT" run "$model" -n 1 --trace --help
err 'needs a value; --trace=--help'
expect 0 "$LEAT" run "$model" -n 1 -q -p=--help
# nothing is written over but what the same flag wrote
cp "$model" "$tmp/precious"
for flag in --trace --save-state; do
	expect 65 "$LEAT" run "$model" -p a -n 1 -q $flag "$tmp/precious"
	err 'not written over'
	expect 0 cmp "$model" "$tmp/precious"
	expect 0 "$LEAT" run "$model" -p a -n 1 -q $flag "$tmp/own"
	expect 0 "$LEAT" run "$model" -p a -n 1 -q $flag "$tmp/own"
	rm "$tmp/own"
done
expect 2 "$LEAT" run "$model" -p a --temp -1
err '0\.\.100'
expect 2 "$LEAT" run "$model" -p a --temp nan
expect 2 "$LEAT" run "$model" -p a --temp 1x
expect 2 "$LEAT" run "$model" -p a -n 99999999999999999999
expect 2 "$LEAT" run "$model" -p a --seed -2
expect 2 "$LEAT" run "$model" -p a -ctk q4_0
err 'f16\|f32'
expect 2 "$LEAT" run "$model" -p a --opt nonsense=on
expect 2 "$LEAT" run "$model" -p a --samplers nonsense
expect 2 "$LEAT" run "$model" -p a --logit-bias x
expect 2 "$LEAT" run "$model" -p a -f /dev/null
expect 2 "$LEAT" run "$model" -p a --stop ''
expect 2 "$LEAT" run "$model"
err 'no prompt'
expect 2 "$LEAT" inspect "$model" --temp 1
expect 2 "$LEAT" inspect "$model" more
expect 2 env LEAT_TEMP=hot "$LEAT" run "$model" -p a
err 'LEAT_TEMP'
expect 2 "$LEAT" synth nonsense q8_0 "$tmp/x"
expect 2 "$LEAT" synth rwkv7-0.1b q9 "$tmp/x"
expect 2 "$LEAT" synth --seed -1 rwkv7-0.1b q8_0 "$tmp/x"
err 'seed'
expect 2 "$LEAT" bench "$model" -p 1,x

# a list of switches of any length is read to its end
long=plan_cache=on
while [ ${#long} -lt 3000 ]; do
	long=$long,$long
done
expect 0 "$LEAT" run "$model" -p a -n 1 --opt "$long"
expect 2 "$LEAT" run "$model" -p a -n 1 --opt "$long" --opt last=on
err 'last'
expect 2 env LEAT_OPT="$long,last=on" "$LEAT" bench "$model" -p 4 -n 0

# ranges: the first value and the last are taken, the next beyond is refused by name. The library has the same ranges
# and is asked after the table, so a range that is too narrow or too wide shows: a value that passed the table and was
# refused later has another message.
while read -r option good bad; do
	for value in $(echo "$good" | tr , ' '); do
		expect 0 "$LEAT" run "$model" -p a -n 1 "--$option" "$value"
	done
	for value in $(echo "$bad" | tr , ' '); do
		expect 2 "$LEAT" run "$model" -p a -n 1 "--$option" "$value"
		err "^leat: --$option: '$value' is not (a number|an integer) in "
	done
done <<'END'
temp 0,100 -0.1,100.1,inf
top-k 0,2147483647 -1,2147483648
top-p 1e-30,1 0,1e-60,1.01
min-p 0,0.999 -0.1,1,0.999999999999
typical 1e-30,1 0,1e-60,1.01
repeat-penalty 0.01,100 0,0.009,100.1
repeat-last-n -1,0,1048576 -2,1048577
presence-penalty -100,100 -100.1,100.1
frequency-penalty -100,100 -100.1,100.1
penalty-decay 0.000001,1 0,0.0000009,1.1
threads 0,2 -1,1025
batch-size 1,8192 0,8193
END

# files
expect 66 "$LEAT" run "$tmp/absent.gguf" -p a
err 'absent\.gguf'
empty out
expect 66 "$LEAT" inspect "$tmp/absent.gguf"
expect 66 "$LEAT" tokenize "$tmp/absent.gguf" a
expect 66 "$LEAT" logits "$tmp/absent.gguf" -p a
expect 66 "$LEAT" bench "$tmp/absent.gguf"
: >"$tmp/empty.gguf"
expect 65 "$LEAT" run "$tmp/empty.gguf" -p a
echo "this is no model" >"$tmp/text.gguf"
expect 65 "$LEAT" run "$tmp/text.gguf" -p a
head -c 20000 "$model" >"$tmp/short.gguf"
expect 65 "$LEAT" run "$tmp/short.gguf" -p a
err 'short\.gguf'
expect 65 "$LEAT" run "$tmp" -p a
expect 1 "$LEAT" inspect --verify "$tmp/short.gguf"
expect 66 "$LEAT" inspect --verify "$tmp/absent.gguf"
expect 66 "$LEAT" run "$model" -f "$tmp/absent.txt"

# context too small for the prompt
expect 65 "$LEAT" run "$model" -c 1 -p 'much longer than one token'

# a full disk
if [ -c /dev/full ]; then
	checks=$((checks + 3))
	"$LEAT" run "$model" -p a -n 5 -q </dev/null >/dev/full 2>"$tmp/err"
	[ $? = 74 ] || fail "/dev/full: run"
	"$LEAT" --help >/dev/full 2>/dev/null
	[ $? = 74 ] || fail "/dev/full: --help"
	"$LEAT" logits "$model" -p abc -o /dev/full 2>/dev/null
	[ $? = 74 ] || fail "/dev/full: logits -o"
fi
# a closed standard output: said, and never written into another file
checks=$((checks + 2))
"$LEAT" --help >&- 2>/dev/null
[ $? = 74 ] || fail "closed standard output"
"$LEAT" logits "$model" -p abc --top 1 -o "$tmp/closed.f32" >&- 2>/dev/null
[ $? = 74 ] || fail "closed standard output: logits"
# more than one buffer of it, so it is written before the program ends: descriptor 1 must not be FILE by then, and a
# FILE that stands there says that all was well
checks=$((checks + 4))
"$LEAT" logits "$model" --tokens 1,2,3,4 --top 1000 | wc -c >"$tmp/size"
[ "$(cat "$tmp/size")" -gt 65536 ] || fail "the next check needs more than 64 KiB of text"
for first in '>&-' '>/dev/full'; do
	rm -f "$tmp/closed.f32"
	sh -c "exec \"\$@\" $first" sh "$LEAT" logits "$model" --tokens 1,2,3,4 --top 1000 \
		-o "$tmp/closed.f32" 2>/dev/null
	[ $? = 74 ] || fail "$first: logits -o"
	find "$tmp" -name 'closed.f32*' | grep -q . && fail "$first: a file of rows was left"
done
expect 0 "$LEAT" logits "$model" --tokens 1,2,3,4 --top 1000 -o "$tmp/closed.f32"
expect 0 "$LEAT" logits "$model" --tokens 1,2,3,4 --compare "$tmp/closed.f32" --max-e 1e-3
# nobody reads
{ "$LEAT" run "$model" -p a -n -1 --ignore-eos -q </dev/null 2>"$tmp/err"; echo $? >"$tmp/rc"; } | head -c 1 >/dev/null
checks=$((checks + 1))
[ "$(cat "$tmp/rc")" = 141 ] || fail "closed pipe: exit $(cat "$tmp/rc"), wanted 141"
empty err
# a message has an end, somewhere
checks=$((checks + 2))
"$LEAT" chat "$model" -i -q </dev/zero >/dev/null 2>"$tmp/err"
[ $? = 69 ] || fail "a line without end: $(cat "$tmp/err")"
{ printf '"""'; yes; } | "$LEAT" chat "$model" -i -q >/dev/null 2>"$tmp/err"
[ $? = 69 ] || fail "a message without end: $(cat "$tmp/err")"
# Ctrl-C is heard while a text has no end
for command in run tokenize embed; do
	checks=$((checks + 1))
	timeout --preserve-status -s INT 0.5 "$LEAT" $command "$model" -f /dev/zero >/dev/null 2>&1 </dev/null
	[ $? = 130 ] || fail "$command -f /dev/zero"
done
finish
