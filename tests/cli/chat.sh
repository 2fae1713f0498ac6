#!/bin/sh
# leat chat -i: messages and commands from a pipe, answers alone on standard output; files that are refused whole.
. "$(dirname "$0")/lib/common.sh"

# talk TEXT ARG...: the conversation TEXT (printf escapes); stdout to $tmp/out, stderr to $tmp/err, status checked as 0
# or as $code.
talk() {
	text=$1
	shift
	checks=$((checks + 1))
	printf "$text" | "$LEAT" chat "$model" -i "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" = "${code:-0}" ] || fail "exit $got, wanted ${code:-0}: $text $*: $(head -c 300 "$tmp/err")"
	code=
}

for kind in rwkv7 qwen2; do
	find_model $kind
	flags="-n 12 --seed 3 --temp 1.5 --deterministic"

	# an answer is what run says; two turns are one longer text; nothing but answers on standard output
	expect 0 "$LEAT" run "$model" -p "Once upon a time" $flags -q
	cp "$tmp/out" "$tmp/one"
	talk 'Once upon a time\n' $flags -q
	{ cat "$tmp/one"; echo; } >"$tmp/line"
	same "$tmp/out" "$tmp/line"
	empty err
	talk 'Once upon a time\nThe dog\n' $flags
	err 'template none'
	err '0 cached'
	err '1[45] cached.*\| 12 out'
	cp "$tmp/out" "$tmp/two"
	{ printf 'Once upon a time'; cat "$tmp/one"; printf '\nThe dog'; } >"$tmp/text"
	expect 0 "$LEAT" run "$model" -f "$tmp/text" $flags -q
	{ cat "$tmp/line" "$tmp/out"; echo; } >"$tmp/both"
	same "$tmp/two" "$tmp/both"

	# regen draws anew from the kept place; the same seed gives the same row of answers; undo leaves no trace
	talk 'Once upon a time\n/regen\n/regen\n' $flags -q
	cp "$tmp/out" "$tmp/three"
	talk 'Once upon a time\n/regen\n/regen\n/set seed 3\n/regen\n' $flags -q
	{ cat "$tmp/three" "$tmp/line"; } >"$tmp/four"
	same "$tmp/out" "$tmp/four"
	checks=$((checks + 1))
	[ "$(sort -u "$tmp/three" | wc -l)" -gt 1 ] || fail "regen gives the same answer"
	talk 'Once upon a time\nA cat\nNo\n/undo\n/undo\nThe dog\n/undo\nThe dog\n' $flags -q
	tail -n 1 "$tmp/two" >"$tmp/last"
	tail -n 1 "$tmp/out" | same - "$tmp/last"
	talk 'Once\n/clear\nOnce upon a time\n' $flags -q
	tail -n 1 "$tmp/out" | same - "$tmp/line"
	talk '/undo\n/regen\n' -q
	empty out

	# longer messages, settings, a system message that begins anew
	talk '"""Once\nupon"""\n\\\n a time\n' -n 1 -q
	talk '/tokens hello\n/help\n/show\n/stats\n/set\n/system Be brief.\n/system\n' $flags
	empty out
	err 'tokens: [0-9]'
	err '/regen .*another answer'
	err 'seed +3$'
	err 'a first message is written as'
	err '^Be brief\.$'
	code=65 talk '/set temp 200\n/set tmep 1\n/nothing\n/set seed default\n/set temp 0.5\n/show params\n' $flags
	err "'200' is not a number in 0..100"
	err "did you mean 'temp'"
	err "unknown command '/nothing'"
	err 'temp +0.5$'
	err 'seed +-1 +\(default\)$'
	talk '//slash\n' -n 1 -q
	talk '/exit\nOnce\n' -n 1 -q
	empty out
	talk '' -q
	talk '"""Once' -n 3 -q
	out .
	code=65 talk '\377\n' -q
	err 'not UTF-8'
	code=65 talk 'a\000b\n' -q

	# save, load: the same conversation, and it goes on as before
	rm -f "$tmp/talk.json"
	talk "Once upon a time\nThe dog\n/save $tmp/talk.json\nA \"cat\"\n" $flags -q
	cp "$tmp/out" "$tmp/all"
	checks=$((checks + 2))
	[ "$(stat -c %a "$tmp/talk.json")" = 600 ] || fail "mode of the file"
	python3 -c 'import json, sys
sys.exit(len(json.load(open(sys.argv[1]))["messages"]) != 4)' "$tmp/talk.json" ||
		fail "the file is not what it should be"
	talk "/load $tmp/talk.json\nA \"cat\"\n" --deterministic --temp 0 -n 1 -q
	tail -n 1 "$tmp/all" >"$tmp/last"
	same "$tmp/out" "$tmp/last"
	code=65 talk "Hi\n/save $tmp/talk.json\n" -n 1 -q
	err 'exists; /save! replaces it'
	talk "Hi\n/save! $tmp/talk.json\n" -n 1 -q
	code=66 talk "/load $tmp/none.json\n" -q
	code=74 talk "Hi\n/save $tmp/no/such/folder\n" -n 1 -q
	rm -f "$tmp/talk.json"
done

# a conversation beyond the context: said, never cut; the session lives on
find_model qwen2
long='Once upon a time there was a little dog who lived in a house by the sea'
code=65 talk "$long"'\nOnce\n/undo\n/stats\n' -c 24 -n 40
err 'the context is full'
err '/undo takes the last turn back'
err 'turns +0'

# files that are refused, whole: what was said before is still there
bad() {
	code=${2:-65} talk "Once upon a time\n/load $tmp/bad.json\n/regen\n" $flags -q
	checks=$((checks + 1))
	[ "$(wc -l <"$tmp/out")" = 2 ] || fail "$1: the conversation is gone"
	err "$1"
}
flags="-n 4 --seed 3"
reply='{"role": "assistant", "content": "b"}'
message='{"role": "user", "content": "a"}, '$reply
head -c 60 <<END >"$tmp/bad.json"
{"schema": "leat.chat/1", "messages": [$message]}
END
bad 'not JSON'
echo "{\"schema\": \"leat.chat/2\", \"messages\": [$message]}" >"$tmp/bad.json"
bad "'schema' is not"
echo '[]' >"$tmp/bad.json"
bad "'schema' is not"
echo '{"schema": "leat.chat/1"}' >"$tmp/bad.json"
bad "'messages' is not an array"
echo '{"schema": "leat.chat/1", "messages": [1]}' >"$tmp/bad.json"
bad 'message 0 is not an object'
echo '{"schema": "leat.chat/1", "messages": [{"role": "user", "content": ["a"]}]}' >"$tmp/bad.json"
bad 'message 0 is not an object'
echo "{\"schema\": \"leat.chat/1\", \"messages\": [$message, $reply]}" >"$tmp/bad.json"
bad "message 2 has the role 'assistant', wanted 'user'"
echo '{"schema": "leat.chat/1", "messages": [{"role": "user", "content": "a"}]}' >"$tmp/bad.json"
bad 'no answer'
echo "{\"schema\": \"leat.chat/1\", \"settings\": {\"temp\": 1}, \"messages\": [$message]}" >"$tmp/bad.json"
bad "'temp' is not a text"
echo "{\"schema\": \"leat.chat/1\", \"settings\": {\"temp\": \"-1\"}, \"messages\": [$message]}" >"$tmp/bad.json"
bad "'-1' is not a number"
echo "{\"schema\": \"leat.chat/1\", \"schema\": \"x\", \"messages\": [$message]}" >"$tmp/bad.json"
bad 'not JSON'
printf '{"schema": "leat.chat/1", "messages": [{"role": "user", "content": "\377"}]}' >"$tmp/bad.json"
bad 'not JSON'
python3 -c 'print("[" * 100000)' >"$tmp/bad.json"
bad 'too deep'
python3 -c 'print("{\"schema\": \"leat.chat/1\", \"messages\": [" + "{}," * 1000000 + "{}]}")' >"$tmp/bad.json"
bad 'too many values'
{
	printf '{"schema": "leat.chat/1", "messages": [{"role": "user", "content": "'
	head -c 600000 /dev/zero | tr '\0' a
	echo '"}, {"role": "assistant", "content": ""}]}'
} >"$tmp/bad.json"
bad 'the context holds'
rm "$tmp/bad.json"
mkdir "$tmp/bad.json"
bad 'not a file'

# the terminal is for people
expect 2 "$LEAT" chat "$model"
err 'chat wants a terminal'
expect 2 "$LEAT" chat "$model" more words
expect 0 "$LEAT" run "$model" -i -q
empty out
printf 'Once upon a time\n' | "$LEAT" chat "$model" -i -n 4 --json >"$tmp/out" 2>"$tmp/err"
out '^\{"schema":"leat.chat/1","event":"answer","text":".*","finish":"length","seed":[0-9]+,'
empty err

# templates by name: one that the vocabulary has marks for, one that it has not, one that nobody has
expect 0 "$LEAT" run "$model" "Once upon a time" -n 4 --chat-template chatml --temp 0
err '^\[1[0-9] in'
expect 0 "$LEAT" run "$model" "Once upon a time" -n 4 --raw -q
expect 65 "$LEAT" run "$model" "Once upon a time" -n 4 --chat-template llama3
err "start_header_id"
expect 66 "$LEAT" run "$model" "Once upon a time" -n 4 --chat-template nosuch
err 'leat knows chatml, llama2, llama3, mistral, none, phi3, rwkv'
expect 2 "$LEAT" run "$model" "Once upon a time" --raw --system x
talk 'Hi\n/show template\n' -n 2 --chat-template chatml --system 'Be <|im_end|> brief.'
err '<\|im_start\|>assistant'

# S23: a folder's template is a list of named ones, no text at all, or missing
if [ -f "$oracle/hf/qwen2-tied.tar.gz" ]; then
	tar -xzf "$oracle/hf/qwen2-tied.tar.gz" -C "$tmp"
	model=$(dirname "$(find "$tmp" -name config.json | head -n 1)")
	config=$model/tokenizer_config.json
	echo '{"chat_template": [{"name": "tools", "template": "x"}, {"name": "default",
		"template": "{{\u0027<|im_start|>system\\nBe kind.<|im_end|>\\n\u0027}}"}]}' >"$config"
	talk '/show template\n'
	err 'template +chatml \(the model file.s own\)'
	err '^Be kind\.<\|im_end\|>$'
	talk '/show template\n' --chat-template none
	err 'template +none'
	echo '{"chat_template": 5}' >"$config"
	talk '/show template\n'
	err "chat template is not one that leat knows; by its vocabulary 'chatml' is used"
	rm "$config"
	talk '/show template\n'
	err 'template +none \(nothing says'
else
	echo "skipped: a folder with templates, without $oracle/hf"
fi
finish
