#!/bin/sh
# leat bench latency and throughput: all tokens come, alone and together they are the same ones, and the figures agree
# with one another.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" bench throughput "$model" --requests 9 --parallel 4 -p 11 -n 6 -r 2 --warmups 1 -t 1 -o jsonl \
		--deterministic
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "throughput of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
assert r["schema"] == "leat.bench.mode/1" and r["mode"] == "throughput" and r["holds"] is True
sizes = "n_requests n_parallel n_prompt n_gen n_repeat n_warmup".split()
assert [r[k] for k in sizes] == [9, 4, 11, 6, 2, 1]
assert r["tokens_sha256"] == r["batched_tokens_sha256"] and len(r["tokens_sha256"]) == 64
assert "9 of 9 answers are the same" in r["remarks"][0], r["remarks"]
f = {x["name"]: x for x in r["figures"]}
for half in "sequential", "batched":
    assert len(f[half]["samples"]) == 2 and min(f[half]["samples"]) > 0
    for rate, requests, ms in zip(*(f[half + k]["samples"] for k in ("", " requests", " per token"))):
        assert abs(rate * ms - 1000) < 1 and abs(requests * 6 - rate) < 1e-3 * rate
    assert f[half]["better"] == "more" and f[half + " per token"]["better"] == "less"
assert 0 < f["plan cache hits"]["mean"] <= 100
assert f["peak memory"]["mean"] > 1 << 20
END
	expect 0 "$LEAT" bench latency "$model" -p 5 -n 4 -r 7 --warmups 0 -t 1 --json --deterministic
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "latency of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x for x in r["figures"]}
for total, first, token, rate in zip(*(f[k]["samples"] for k in ("request", "first token", "token", "requests"))):
    assert 0 < first <= total
    assert abs(first + 3 * token - total) < 1e-3 * total
    assert abs(rate * total - 1000) < 1
assert [len(x["samples"]) for x in r["figures"] if x["name"] != "peak memory"] == [7] * 4
x = f["request"]
assert x["min"] <= x["median"] <= x["p95"] <= x["max"] and x["min"] <= x["mean"] <= x["max"]
assert abs(x["mean"] - sum(x["samples"]) / 7) < 1e-9 * x["mean"]
END
done
# another seed of company or number of threads changes no token
expect 0 "$LEAT" bench throughput "$model" --requests 3 -r 1 -n 5 -t 1 --deterministic
out '^\| batched +\| tokens/s +\|   1 \|'
out '^3 of 3 answers are the same alone and together$'
grep '^tokens_sha256: ' "$tmp/out" >"$tmp/one"
expect 0 "$LEAT" bench throughput "$model" --requests 3 --parallel 2 -r 2 -n 5 -t 2 --deterministic
grep '^tokens_sha256: ' "$tmp/out" >"$tmp/two"
same "$tmp/one" "$tmp/two"
expect 0 "$LEAT" bench latency "$model" "$model" -r 1 -o json -n 1 -p 1
checks=$((checks + 1))
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))) == 2' "$tmp/out" ||
	fail "-o json is no array of two"
expect 2 "$LEAT" bench latency "$model" -o csv
expect 2 "$LEAT" bench latency "$model" -p 0
expect 2 "$LEAT" bench latency "$model" -n 1,2
expect 2 "$LEAT" bench latency
expect 66 "$LEAT" bench latency "$tmp/none.gguf"
# a model without text is measured with the 256 bytes for a vocabulary
bare=$oracle/rwkv/rwkv-7v0-834K/model.st
if [ -f "$bare" ]; then
	expect 0 "$LEAT" bench throughput "$bare" --tokenizer bytes --requests 3 -r 1 -n 3 --deterministic
	out '^3 of 3 answers are the same alone and together$'
	expect 0 "$LEAT" bench cold "$bare" --tokenizer bytes -r 3
else
	echo "skipped: no $bare"
fi
finish
