#!/bin/sh
# leat bench --baseline: what got worse by more than noise and by more than allowed is found, and nothing else.
. "$(dirname "$0")/lib/common.sh"
find_model qwen2
expect 0 "$LEAT" bench throughput "$model" --requests 4 -n 3 -p 4 -r 4 -t 1 -o jsonl
cp "$tmp/out" "$tmp/now.jsonl"
expect 0 "$LEAT" bench "$model" -p 4 -n 2 -r 4 -t 1 -o json
cp "$tmp/out" "$tmp/table.json"
# earlier results without spread that are FACTOR times as good as now
cat >"$tmp/scale.py" <<'END'
import json, sys
text, factor = open(sys.argv[1]).read(), float(sys.argv[2])
rows = json.loads(text) if text[0] == "[" else [json.loads(line) for line in text.splitlines()]
for r in rows:
    if "samples_ts" in r:
        r["samples_ts"] = [r["avg_ts"] * factor] * 4
    for f in r.get("figures", []):
        f["samples"] = [f["mean"] * (factor if f["better"] == "more" else 1 / factor)] * len(f["samples"])
print(json.dumps(rows))
END
# farther apart than anything that a busy machine does between two runs
python3 "$tmp/scale.py" "$tmp/now.jsonl" 10000 >"$tmp/better.json"
python3 "$tmp/scale.py" "$tmp/now.jsonl" 0.0001 >"$tmp/worse.json"
python3 "$tmp/scale.py" "$tmp/table.json" 10000 >"$tmp/table-better.json"
python3 "$tmp/scale.py" "$tmp/table.json" 0.0001 >"$tmp/table-worse.json"
set -- bench throughput "$model" --requests 4 -n 3 -p 4 -r 4 -t 1
expect 1 "$LEAT" "$@" --baseline "$tmp/better.json"
out '^\| batched +\| tokens/s .*-[0-9.]+ % .*\| WORSE +\|$'
for figure in 'sequential busy threads' 'peak memory' 'plan cache hits' 'sequential per token' 'sequential'; do
	out "^\\| $figure +\\| [^|]+\\| +[-+0-9.e]+ \\| +[-+0-9.e]+ \\| +[-+0-9.]+ % \\|"
done
out '^19 of 19 figures compared, [1-9][0-9]* worse$'
expect 0 "$LEAT" "$@" --baseline "$tmp/worse.json"
out '^\| batched +\| tokens/s .*\+[0-9.]+ % .*\| (better|within noise) +\|$'
out '^19 of 19 figures compared, 0 worse$'
expect 1 "$LEAT" "$@" --baseline "$tmp/better.json" -o json
checks=$((checks + 1))
python3 - "$tmp/out" <<'END' || fail "the comparison as JSON"
import json, sys
run, gate = json.load(open(sys.argv[1]))
assert gate["schema"] == "leat.bench.baseline/1" and gate["n_compared"] == 19 and gate["n_worse"] >= 1
new = {f["name"]: f["mean"] for f in run["figures"]}
for x in gate["changes"]:
    assert abs(x["new"] - new[x["name"]]) <= 1e-9 * abs(x["new"]), x
    if not x["old"]:
        continue
    assert abs(x["change_percent"] - 100 * (x["new"] / x["old"] - 1)) <= 1e-6 * (1 + abs(x["change_percent"])), x
assert sum(x["worse"] for x in gate["changes"]) == gate["n_worse"]
END
expect 1 "$LEAT" bench "$model" -p 4 -n 2 -r 4 -t 1 --baseline "$tmp/table-better.json"
out '^2 of 2 figures compared, [12] worse$'
expect 0 "$LEAT" bench "$model" -p 4 -n 2 -r 4 -t 1 --baseline "$tmp/table-worse.json" -o jsonl
# other sizes are not the same measurement
expect 65 "$LEAT" bench throughput "$model" --requests 4 -n 4 -p 4 -r 1 -t 1 --baseline "$tmp/now.jsonl"
expect 66 "$LEAT" "$@" --baseline "$tmp/none.json"
echo '{"figures": [' >"$tmp/broken.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/broken.json"
echo '[1, {"mode": 3, "figures": [4, {"samples": "x"}]}]' >"$tmp/odd.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/odd.json"
: >"$tmp/empty.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/empty.json"
echo '[]' >"$tmp/list.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/list.json"
head -c 100 "$tmp/now.jsonl" >"$tmp/cut.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/cut.json"
head -c 1000000 /dev/zero | tr '\0' '[' >"$tmp/deep.json"
expect 65 "$LEAT" "$@" --baseline "$tmp/deep.json"
head -c 5000000 /dev/zero | tr '\0' ' ' >"$tmp/large.json"
expect 69 "$LEAT" "$@" --baseline "$tmp/large.json"
expect 2 "$LEAT" bench "$model" -p 4 -n 0 -o csv --baseline "$tmp/table.json"
finish
