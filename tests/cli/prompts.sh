#!/bin/sh
# leat run --prompts: the same answers as alone, in order, whatever the lines are; signals; nobody who reads.
. "$(dirname "$0")/lib/common.sh"

# look 'PYTHON': o is the list of objects in $tmp/out, by(EVENT) those of one event.
look() {
	checks=$((checks + 1))
	python3 - "$tmp/out" "$1" <<'END' || fail "not so: $1"
import json, sys
o = [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]
for x in o:
	assert list(x)[:2] == ["schema", "event"] and x["schema"] == "leat.run/1", x
def by(event):
	return [x for x in o if x["event"] == event]
assert eval(sys.argv[2]), [str(x)[:150] for x in o][:6]
END
}

for kind in rwkv7 qwen2; do
	find_model $kind
	set -- --temp 0 -n 12 --deterministic
	# ---- as alone, in order ----
	printf 'Once upon a time\nThe little dog\n\n  \r\nA\r\nOne day a girl' >"$tmp/p.txt"
	expect 0 "$LEAT" run "$model" --prompts "$tmp/p.txt" -np 3 "$@"
	err '^\[4 prompts, 0 failed · [0-9]+ in, 0 cached · 48 out in '
	look '[x["line"] for x in o] == [1, 2, 5, 6] and [x["id"] for x in o] == [1, 2, 5, 6]'
	look 'all(x["finish"] == "length" and x["n_generated"] == 12 for x in o)'
	cp "$tmp/out" "$tmp/many"
	n=0
	for text in "Once upon a time" "The little dog" "A" "One day a girl"; do
		"$LEAT" run "$model" -p "$text" -q "$@" </dev/null >"$tmp/one"
		checks=$((checks + 1))
		python3 -c 'import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
assert json.loads(lines[int(sys.argv[3])])["text"] == open(sys.argv[2], encoding="utf-8").read()
' "$tmp/many" "$tmp/one" $n || fail "'$text' among others is not what it is alone"
		n=$((n + 1))
	done
	expect 0 "$LEAT" run "$model" --prompts "$tmp/p.txt" -np 1 --max-queue 0 "$@" -q
	empty err
	"$LEAT" run "$model" --prompts - --raw -np 2 "$@" -q <"$tmp/p.txt" >"$tmp/out" 2>"$tmp/err"
	look '[x["line"] for x in o] == [1, 2, 5, 6]'
	expect 0 "$LEAT" run "$model" --prompts "$tmp/p.txt" --max-prefill-stall-ms 0 -b 64 -ub 3 -v "$@"
	err 'engine: .* 3 tokens a step'
done

# ---- what a line may say ----
find_model rwkv7
cat >"$tmp/q.jsonl" <<'END'
{"id": "greedy", "prompt": "Once upon a time", "max_tokens": 5, "temperature": 0, "logit_bias": {"14": -100.5}}
{"id": 7, "tokens": [1, 2, 3], "max_tokens": 3.0, "seed": 5, "priority": -100, "top_k": 1}
"a text in quotes: \u00e4\ud83d\ude00\u0000"
{"prompt": "a", "seed": "18446744073709551615", "n_predict": 2}
{"prompt": "", "ignore_eos": true}
{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hello"}]}
{"prompt": "Once upon a time", "temperature": 0, "stop": ["never", " "], "timeout": 60, "queue_timeout": 60.5}
END
expect 0 "$LEAT" run "$model" --prompts "$tmp/q.jsonl" -n 4 --json
look '[x["n_generated"] for x in by("result")][:5] == [5, 3, 4, 2, 4]'
look 'by("result")[0]["id"] == "greedy" and not by("result")[0]["text"].startswith(",")'
look 'by("result")[3]["seed"] == 18446744073709551615 and by("result")[1]["seed"] == 5'
look 'by("result")[6]["finish"] == "stop" and " " not in by("result")[6]["text"]'
look 'o[-1]["event"] == "summary" and o[-1]["n_results"] == 7 and o[-1]["n_errors"] == 0'
expect 0 "$LEAT" run "$model" --prompts "$tmp/q.jsonl" -n 4 --logprobs 3 -q
look 'all(len(x["logprobs"]) == x["n_generated"] for x in o)'
look 'all(len(t["top"]) == 3 and 0 < t["prob"] <= 1 for x in o for t in x["logprobs"])'
look 'o[0]["text"] == "".join(t["text"] for t in o[0]["logprobs"])'
expect 0 "$LEAT" run "$model" --prompts "$tmp/q.jsonl" -n 4 --prompt-logprobs -q
look 'all(len(x["prompt"]) == x["n_prompt"] and x["prompt"][0]["logprob"] is None for x in o)'
look 'all(t["logprob"] <= 0 for x in o for t in x["prompt"][1:]) and [t["id"] for t in o[1]["prompt"]] == [1, 2, 3]'
expect 0 "$LEAT" run "$model" --raw -p "Once upon a time" -n 1 --json --prompt-logprobs
look '"".join(t["text"] for t in o[0]["prompt"]).endswith("Once upon a time") and o[0]["event"] == "prompt"'
expect 0 "$LEAT" run "$model" --prompts "$tmp/q.jsonl" -n 4 --stream -np 2
look 'all("".join(t["text"] for t in by("token") if t["line"] == x["line"]) == x["text"] for x in by("result"))'
look 'sorted(x["line"] for x in by("result")) == [1, 2, 3, 4, 5, 6, 7]'
look '[t["index"] for t in by("token") if t["request"] == "greedy"] == [0, 1, 2, 3, 4]'

# ---- who is served first: the first line may run already when the others come ----
for priority in 0 -100 0 100; do
	echo "{\"prompt\": \"a\", \"priority\": $priority}"
done >"$tmp/order.jsonl"
expect 0 "$LEAT" run "$model" --prompts "$tmp/order.jsonl" -n 100 --ignore-eos -np 1 --stream
look '[x["line"] for x in by("result") if x["line"] != 1] == [4, 3, 2]'

# ---- lines that are wrong are told, the others answered ----
cat >"$tmp/bad.jsonl" <<'END'
{"prompt": "Once", "id": "first"}
{"prompt": "a", "max_token": 4}
not json
{"prompt": "a", "temperature": -1}
{"prompt": "a", "temperature": "hot"}
{"prompt": "a", "tokens": [1]}
{"tokens": []}
{"tokens": [99999999]}
{"tokens": ["a"]}
{"id": "nothing"}
[1]
{"prompt": "a", "prompt": "b"}
{"prompt": "a", "max_tokens": 0}
{"prompt": "a", "seed": 18446744073709551615}
{"prompt": "a", "seed": -2}
{"prompt": "a", "id": [1]}
{"prompt": "a", "stop": ""}
{"prompt": "a", "stop": ["a\u0000b"]}
{"prompt": "a", "system": "a\u0000b"}
{"prompt": "a", "logit_bias": {"x": 1}}
{"prompt": "a", "logit_bias": {"99999999": 1}}
{"prompt": "a", "priority": 101}
{"prompt": "a", "samplers": "nonsense"}
{"messages": [{"role": "nobody", "content": "a"}]}
{"messages": [{"role": "user"}]}
{"messages": "a"}
{"prompt": {"a": {"b": {"c": {"d": 1}}}}}
{"prompt": "a", "raw": 1}
{"prompt": "last"}
END
expect 65 "$LEAT" run "$model" --prompts "$tmp/bad.jsonl" -n 2
look '[x["line"] for x in o] == list(range(1, 30))'
look '[x["line"] for x in by("result")] == [1, 29]'
look 'all(x["error"]["message"] and x["error"]["code"] and x["error"]["status"] < 0 for x in by("error"))'
err "bad.jsonl:2: unknown key 'max_token'; did you mean 'max_tokens'"
err 'bad.jsonl:3: not JSON'
{
	echo '{"prompt": "a"}'
	head -c 17000000 /dev/zero | tr '\0' a
	printf '\n\377\376 bytes\n{"prompt": "b"}'
} >"$tmp/long"
expect 69 "$LEAT" run "$model" --prompts "$tmp/long" -n 2 -q
look '[(x["line"], x["event"]) for x in o] == [(1, "result"), (2, "error"), (3, "error"), (4, "result")]'
look 'o[1]["error"]["code"] == "limit_exceeded"'
printf '\357\273\277hello\n\377\376\n' >"$tmp/bom.txt"
expect 0 "$LEAT" run "$model" --prompts "$tmp/bom.txt" -n 2 -q
look 'len(o) == 2 and o[0]["n_prompt"] < 6'
: >"$tmp/none"
expect 0 "$LEAT" run "$model" --prompts "$tmp/none"
empty out
expect 66 "$LEAT" run "$model" --prompts "$tmp/absent"
expect 74 "$LEAT" run "$model" --prompts "$tmp"
expect 0 "$LEAT" run "$model" --prompts "$tmp/p.txt" -n 100000 --ignore-eos --timeout 0.05 -q
look 'all(x["finish"] == "timeout" and x["n_generated"] < 100000 for x in o)'
expect 0 "$LEAT" run "$model" --prompts "$tmp/p.txt" -n 800 --ignore-eos -np 1 --queue-timeout 0.1 -q
look 'o[-1]["finish"] == "timeout" and o[-1]["n_generated"] == 0'

# ---- many, of which few are held ----
seq 1 300 | sed 's/.*/{"id": "n&", "prompt": "tell & things"}/' >"$tmp/seq.jsonl"
expect 0 "$LEAT" run "$model" --prompts "$tmp/seq.jsonl" -n 3 -np 16 --max-queue 2 -q
look '[x["id"] for x in o] == ["n%d" % i for i in range(1, 301)]'

# ---- a line without end ----
checks=$((checks + 1))
timeout 2 "$LEAT" run "$model" --prompts /dev/zero -q >"$tmp/out" 2>"$tmp/err" </dev/null
[ $? = 124 ] || fail "a line without end: $(cat "$tmp/err")"
look 'len(o) == 1 and o[0]["error"]["code"] == "limit_exceeded"'

# ---- flags that would mean nothing ----
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" -p a
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" -i
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" --raw --system a
for flag in -np=2 --max-queue=3 --max-prefill-stall-ms=1 --priority=1 --queue-timeout=1 --stream; do
	expect 2 "$LEAT" run "$model" -p a -n 1 $flag
	err 'needs --prompts'
done
expect 2 "$LEAT" run "$model" -p a -n 1 --logprobs 2
expect 2 "$LEAT" run "$model" -p a -n 1 --prompt-logprobs
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" -np 0
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" --priority 101
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" --samplers nonsense
expect 2 "$LEAT" run "$model" --prompts "$tmp/p.txt" -n 0
empty out
expect 75 "$LEAT" run "$model" -p a -n 100000 --ignore-eos --timeout 0.05
err '\| timeout \|'
expect 0 "$LEAT" run "$model" -p a -n 3 --json --logprobs 2
look 'all(len(x["top"]) == 2 and x["top"][0]["logprob"] >= x["top"][1]["logprob"] for x in by("token"))'

# ---- nobody reads ----
checks=$((checks + 1))
{
	"$LEAT" run "$model" --prompts "$tmp/seq.jsonl" -n 3 -q
	echo $? >"$tmp/code"
} | head -n 1 >/dev/null
[ "$(cat "$tmp/code")" = 141 ] || fail "exit $(cat "$tmp/code") when nobody reads, wanted 141"

# ---- a program that asks one by one gets its answers at once; a signal ends it, though its input does not ----
mkfifo "$tmp/in" "$tmp/answers"
"$LEAT" run "$model" --prompts - -n 4 -q <"$tmp/in" >"$tmp/answers" 2>"$tmp/err" &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answers"
for i in 1 2 3; do
	echo "{\"prompt\": \"a\", \"id\": $i}" >&3
	read -r answer <&4
	checks=$((checks + 1))
	case $answer in
	*"\"id\":$i,"*'"finish":"length"'*) ;;
	*) fail "asked $i, was answered $answer" ;;
	esac
done
kill -TERM $pid
wait $pid
code=$?
checks=$((checks + 1))
[ $code = 143 ] || fail "exit $code after SIGTERM, wanted 143"
exec 3>&- 4<&-

# The first Ctrl-C lets finish what runs: line 1; lines that wait are not begun.
drain() {
	"$LEAT" run "$model" --prompts "$tmp/p.txt" -np 1 -n $1 --ignore-eos --stream </dev/null \
		>"$tmp/out" 2>"$tmp/err" &
	pid=$!
	while ! grep -q '"index":1,' "$tmp/out" && kill -0 $pid; do sleep 0.02; done
	kill -TERM $pid
	if [ $2 = 2 ]; then
		while ! grep -q 'brought to their end' "$tmp/err" && kill -0 $pid; do sleep 0.02; done
		kill -TERM $pid
	fi
	wait $pid
	code=$?
	checks=$((checks + 1))
	[ $code = 143 ] || fail "exit $code after $2 signals, wanted 143"
}
drain 400 1
look '[x["finish"] for x in by("result") if x["line"] == 1] == ["length"]'
look '{x["finish"] for x in by("result") if x["line"] > 1} == {"cancelled"}'
drain 100000000 2
look '{x["finish"] for x in by("result")} == {"cancelled"} and len(by("result")) == 4'
finish
