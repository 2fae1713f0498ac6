#!/bin/sh
# bench/all.py and bench/tables.py: one command measures everything, and tables are made of what it wrote (R110, R111,
# R113).
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
expect 0 python3 "$root/bench/all.py" --leat "$LEAT" --out "$tmp/results" --quick --log "$tmp/log" \
	--modes tokens,latency,batched,ideas "$model"
json=$(sed -n 1p "$tmp/out")
checks=$((checks + 1))
python3 - "$json" "$(sed -n 2p "$tmp/out")" "$tmp/log" "$model" <<'END' || fail "what bench/all.py wrote"
import json, os, sys
results = json.load(open(sys.argv[1]))
text = open(sys.argv[2]).read()
name = os.path.basename(sys.argv[4])
assert [r.get("mode", "") for r in results] == ["", "", "latency", "batched", "ideas"], [r.get("mode") for r in results]
assert all(r["model_filename"] == name and r["load_average"] >= 0 and r["exit_code"] == 0 for r in results)
assert len(open(sys.argv[3]).readlines()) == 5
# the tables say what the results say
rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
models = dict(zip(rows[0], rows[2]))
machines = dict(zip(rows[3], rows[5]))
assert models["model"] == name and models["date"] == results[0]["test_time"][:10] == machines["date"]
def median(samples):
    return sorted(samples)[len(samples) // 2]
assert models["prompt tok/s"] == f"{median(results[0]['samples_ts']):.1f}" == machines["prompt tok/s"]
assert models["decode tok/s"] == f"{median(results[1]['samples_ts']):.2f}"
request = next(f for f in results[2]["figures"] if f["name"] == "request")
assert models["request ms"] == f"{request['median']:.2f}" and models["batched tok/s"] == ""
END
expect 0 python3 "$root/bench/tables.py" "$json"
out "^\| $(basename "$model") \| [0-9]+ \| "
# the tables that are kept are those of the results that are kept
expect 0 python3 "$root/bench/tables.py" --check
expect 1 python3 "$root/bench/all.py" --leat "$LEAT" --out "$tmp/results" --quick --modes latency "$tmp/none.gguf"
finish
