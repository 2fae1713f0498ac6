#!/bin/sh
# leat bench serve-sim and workloads: every token of every request comes, the times hang together, refusals are counted.
. "$(dirname "$0")/lib/common.sh"
cat >"$tmp/w.txt" <<'END'
leat-workload 1
parallel 3
0 5 6
0 9 3
20 40 1
60 3 8   # a comment
END
cat >"$tmp/full.txt" <<'END'
leat-workload 1
parallel 1
queue 1
0 30 40
0 30 40
0 30 40
0 30 40
END
for kind in rwkv7 qwen2; do
	find_model $kind
	# a busy machine may exceed the bound, which is told with exit code 1
	"$LEAT" bench serve-sim "$model" --trace-file "$tmp/w.txt" -r 2 -t 1 --deterministic -o jsonl >"$tmp/out"
	got=$?
	checks=$((checks + 1))
	[ $got -le 1 ] || fail "serve-sim of $kind: exit $got"
	python3 - "$tmp/out" <<'END' || fail "serve-sim of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
assert r["workload"].endswith("w.txt") and r["n_requests"] == 4 and r["n_parallel"] == 3
assert (r["n_prompt"], r["n_gen"]) == (40, 8)
# the same tokens with and without the bound
assert r["tokens_sha256"] == r["unbound_tokens_sha256"]
f = {x["name"]: x["samples"] for x in r["figures"]}
for way in "bound on", "bound off":
    g = {k[len(way) + 2:]: v for k, v in f.items() if k.startswith(way + ": ")}
    assert all(len(v) == 2 for v in g.values())
    for i in range(2):
        for t in "TTFT", "ITL", "TPOT", "E2E":
            median, p90, p99, most = (g[f"{t} {p}"][i] for p in ("median", "p90", "p99", "max"))
            assert 0 <= median <= p90 <= p99 <= most and 0 < g[t + " mean"][i] <= most
        assert g["TTFT max"][i] <= g["E2E max"][i]
        assert g["refused, queue full"][i] == 0
        # 18 tokens and 4 requests, in the time that both rates name; the last request comes after 60 ms
        seconds = 18 / g["output"][i]
        assert seconds > 0.06 and abs(g["requests"][i] * seconds - 4) < 1e-6
        assert abs(g["prompts and output"][i] * seconds - (18 + 57)) < 1e-6
        # 4 prompts, and of each answer all but the first token
        steps, tokens = f[way + " steps"][i], f[way + " tokens of a step"][i]
        assert abs(steps * tokens - (57 + 18 - 4)) < 1e-6, (steps, tokens)
        assert 0 <= f[way + " padding"][i] < 100 and 0 < f[way + " token budget used"][i] < 100
# counts of the histogram: tokens that came in steps of their own or beside prompts
assert sum("tokens of answers by stall" in line for line in r["remarks"]) == 2
assert r["holds"] is not any(line.startswith("EXCEEDED") for line in r["remarks"])
END
	"$LEAT" bench serve-sim "$model" --trace-file "$tmp/full.txt" -o jsonl >"$tmp/out"
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "refusals of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x["samples"] for x in r["figures"]}
assert f["bound on: refused, queue full"] == [2] == f["bound off: refused, queue full"]
END
	# the requests of a workload, one after another and together
	expect 0 "$LEAT" bench throughput "$model" --trace-file "$tmp/w.txt" -r 1 --warmups 1 --deterministic -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "throughput of a workload with $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
assert r["tokens_sha256"] == r["batched_tokens_sha256"] and r["holds"] is True
assert "4 requests, 18 tokens to write" in r["remarks"]
f = {x["name"]: x["samples"][0] for x in r["figures"]}
for half in "sequential", "batched":
    assert abs(f[half] * f[half + " per token"] - 1000) < 1
    assert abs(f[half + " steps"] * f[half + " tokens of a step"] - (57 + 18 - 4)) < 1e-6
assert f["sequential steps"] == 18 > f["batched steps"]
assert abs(f["batched over sequential"] - f["batched"] / f["sequential"]) < 1e-9
END
done
# without a workload: equal requests at even gaps
"$LEAT" bench serve-sim "$model" --requests 3 -p 4 -n 2 >"$tmp/out"
out '^bound on TTFT ms, +3: mean '
expect 69 "$LEAT" bench serve-sim "$model" --trace-file "$model"
expect 65 "$LEAT" bench serve-sim "$model" --trace-file "$0"
expect 66 "$LEAT" bench serve-sim "$model" --trace-file "$tmp/none"
expect 2 "$LEAT" bench latency "$model" --trace-file "$tmp/w.txt"
# a word that is neither a mode nor a file
expect 2 "$LEAT" bench troughput "$model"
err "did you mean 'throughput'"
empty out
expect 66 "$LEAT" bench ./troughput
finish
