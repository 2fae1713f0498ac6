#!/bin/sh
# leat bench cold, phases and bandwidth: their figures add up.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" bench cold "$model" -r 6 -p 8 -n 3 -t 1 -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "cold of $kind"
import json, statistics, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x for x in r["figures"]}
first, steady = f["first run"]["samples"], f["steady run"]["samples"]
assert len(first) == 1 and len(steady) == 5 and min(first + steady) > 0
median = statistics.median(steady)
assert abs(f["steady run"]["median"] - median) < 1e-9 * median
assert abs(f["improvement"]["mean"] - 100 * (first[0] - median) / first[0]) < 1e-6 * (1 + abs(f["improvement"]["mean"]))
assert f["open, create and first run"]["mean"] >= f["open"]["mean"] + f["create"]["mean"] + first[0]
assert r["holds"] is True and len(r["tokens_sha256"]) == 64
END
	# a step may be interrupted between two phases, which is told with exit code 1
	"$LEAT" bench phases "$model" -p 8 -n 9 -r 3 -t 1 -o jsonl >"$tmp/out"
	got=$?
	checks=$((checks + 1))
	[ $got -le 1 ] || fail "phases of $kind"
	python3 - "$tmp/out" <<'END' || fail "phases of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x for x in r["figures"]}
names = "prepare", "submit", "finish", "draw"
for k in names + ("total",):
    assert len(f[k]["samples"]) == 3 * 8 and f[k]["unit"] == "us"
parts, total = sum(sum(f[k]["samples"]) for k in names), sum(f["total"]["samples"])
share = f["sum of phases in total"]["mean"]
assert 0 < parts <= total and abs(100 * parts / total - share) < 1e-6 * share
assert r["holds"] is (98 <= share <= 102), (share, r["remarks"])
END
	expect 0 "$LEAT" bench bandwidth "$model" -p 8 -n 6 -r 3 -t 1 -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "bandwidth of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x for x in r["figures"]}
moved, peak = f["read per token"]["mean"] + f["written per token"]["mean"], f["memory alone"]["max"]
assert 0 < f["written per token"]["mean"] < f["read per token"]["mean"] < 3 * r["model_size"]
for rate, gb, share in zip(*(f[k]["samples"] for k in ("decode", "achieved", "share of peak"))):
    assert abs(gb - moved * rate / 1e9) < 1e-9 * gb and abs(share - 100 * gb / peak) < 1e-6 * share
assert len(f["decode"]["samples"]) == 3 and len(r["tokens_sha256"]) == 64
END
done
expect 2 "$LEAT" bench phases "$model" -n 0
expect 65 "$LEAT" bench phases "$model" -n 1
finish
