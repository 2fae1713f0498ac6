#!/bin/sh
# leat bench formats: one table of files of one model, with the same ids from each.
. "$(dirname "$0")/lib/common.sh"
find_model qwen2
demo=$model
# table 'PYTHON': h is the list of columns, t that of rows
table() {
	checks=$((checks + 1))
	python3 - "$tmp/out" "$1" <<'END' || fail "not so: $1: $(cat "$tmp/out")"
import sys
rows = [[x.strip() for x in l.split("|")[1:-1]] for l in open(sys.argv[1]) if l.startswith("|")]
h, t = rows[0], rows[2:]
assert h == ["model", "file MiB", "load s", "load and first token s", "prefill tokens/s", "generation tokens/s",
	"memory MiB", "tokens_sha256"], h
assert all(len(r) == len(h) and all(float(x) > 0 for x in r[1:6]) and float(r[6]) >= 0 for r in t), t
assert eval(sys.argv[2])
END
}
expect 0 "$LEAT" bench formats "$demo" "$demo" -r 2 -p 8 -n 4
out '^formats: CPU: .*; prompt 8 tokens, answer 4; medians of 2 runs'
table 'len(t) == 2 and t[0][7] == t[1][7] and float(t[0][6]) > 1'
expect 0 "$LEAT" bench formats "$demo" -r 3 -p 8 -n 4 -o jsonl
checks=$((checks + 1))
python3 - "$tmp/out" <<'END' || fail "JSON of formats"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x["samples"] for x in r["figures"]}
names = "load", "load and first token", "prefill", "generation", "memory"
assert all(len(f[n]) == 3 for n in names) and len(f["file"]) == 1
assert all(a < b for a, b in zip(f["load"], f["load and first token"]))
END
expect 0 "$LEAT" bench formats "$demo" -r 1 -p 1 -n 1 -o jsonl # no second token, no rate of generation
expect 66 "$LEAT" bench formats "$tmp/absent" "$demo"
if [ -f "$oracle/hf/qwen2-tied.tar.gz" ]; then
	tar xzf "$oracle/hf/qwen2-tied.tar.gz" -C "$tmp"
	expect 0 "$LEAT" bench formats "$tmp/qwen2-tied" "$oracle/hf-gguf/qwen2-tied.gguf" -r 2 -p 16 -n 8
	table 't[0][0].startswith("qwen2-tied") or "/qwen2-tied" in t[0][0]'
	table 't[0][7] == t[1][7]' # safetensors and GGUF compute the same
	"$LEAT" bench formats "$oracle/rwkv/rwkv-7v0-834K/model.st" "$oracle/rwkv/rwkv-7v0-834K/model.gguf" \
		--tokenizer bytes -r 2 -p 16 -n 8 >"$tmp/out" 2>"$tmp/err" </dev/null
	table 'len(t) == 2 and t[0][7] == t[1][7]'
else
	echo "skipped: no oracle beside the repository"
fi
finish
