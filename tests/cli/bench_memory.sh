#!/bin/sh
# leat bench memory: what was predicted is there, a cache grows by what a token is said to take, a recurrent state not.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" bench memory "$model" -d 0,64,2048,4096 -t 1 -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" $kind <<'END' || fail "memory of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x["mean"] for x in r["figures"]}
assert r["holds"] is True and len(r["tokens_sha256"]) == 64
assert len(r["remarks"]) == (5 if sys.argv[2] == "rwkv7" else 6) or sys.argv[2] == "qwen2" and len(r["remarks"]) == 5
assert 0 < f["peak while loading"] <= 1.1 * f["file"] + 2**24
assert 0 <= f["left after closing"] <= 0.01 * f["file"] + 2**24
assert f["peak memory"] > f["file"] > 0
assert f["state measured @ 0"] == 0
for n in 64, 2048, 4096:
    a, b = f[f"state predicted @ {n}"], f[f"state measured @ {n}"]
    assert 0 < b and abs(a - b) <= max(0.02 * a, 16384), (n, a, b)
    assert f[f"total @ {n}"] > f["weights"] + b
grown = f["state measured @ 4096"] - f["state measured @ 2048"]
if sys.argv[2] == "rwkv7":
    assert grown == 0 and f["growth per token"] == 0
    assert abs(f["state measured @ 4096"] - f["recurrent states per sequence"]) <= 16384
else:
    assert f["growth per token"] > 0 and abs(grown - 2048 * f["growth per token"]) <= 0.02 * grown
END
done
# blocks of 8 bits, and a window's flat memory
expect 0 "$LEAT" bench memory "$model" -d 0,64,2048 -t 1 -ctk q8_0 -o jsonl
expect 0 "$LEAT" bench memory "$model" -d 0,1024,3072,6144 -t 1 --window 512 -o jsonl
checks=$((checks + 1))
python3 - "$tmp/out" <<'END' || fail "memory of a window"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x["mean"] for x in r["figures"]}
assert r["holds"] is True
assert f["state measured @ 3072"] == f["state measured @ 6144"] <= f["state predicted @ 6144"]
END
expect 0 "$LEAT" bench memory "$model" -d 100 --opt hugepages=off
out '^ +100 tokens: state predicted +[0-9]+, measured +[0-9]+, total +[0-9]+$'
finish
