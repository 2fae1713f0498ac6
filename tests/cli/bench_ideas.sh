#!/bin/sh
# leat bench ideas: every row of the first 98 once, each measured on and off or with a reason; one row alone; JSON.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
expect 0 "$LEAT" bench ideas "$model" -p 6 -n 3 -r 2 --warmups 0 --requests 3 --parallel 2 --deterministic
cp "$tmp/out" "$tmp/ideas"
checks=$((checks + 1))
python3 - "$tmp/ideas" <<'END' || fail "the table of ideas"
import sys
lines = [line for line in open(sys.argv[1]) if line.startswith("| ")][2:]
rows = [[c.strip() for c in line.split("|")[1:-1]] for line in lines]
assert [r[0] for r in rows if r[0].startswith("R")] == [f"R{i}" for i in range(1, 99)]
measured = [r for r in rows if r[3] != "-"]
assert len(measured) > 20 and {"R1", "R31", "R41", "R51", "U55", "N4"} <= {r[0] for r in measured}
for r in rows:
    assert len(r) == 10 and r[1] and r[9], r
    if r[3] == "-":
        assert r[4:9] == [""] * 5, r
        continue
    on, off = (float(c.split()[0]) for c in r[4:6])
    gain = float(r[6].rstrip("x"))
    want = off / on if r[3].endswith("ms") else on / off
    assert on > 0 and off > 0 and abs(gain / want - 1) < 0.02, r
    assert r[7] in ("within noise", "helps", "hurts") and r[8] in ("equal", "differ"), r
    # one row of bits for each: nothing but the type of the cache and another precision may change ids
    assert r[8] == "equal" or "kv=" in r[9] or "isa=" in r[9] or "bf16" in r[9], r
# each switch is tried by itself, be it in a row of its own
END
"$LEAT" doctor --opts | sed -n 's/^opt *\([a-z0-9_]*\) .*/\1/p' >"$tmp/opts"
for opt in $(cat "$tmp/opts"); do
	checks=$((checks + 1))
	grep -q "opts=$opt=off" "$tmp/ideas" || fail "the switch $opt is in no row"
done
find_model qwen2
expect 0 "$LEAT" bench ideas "$model" -p 20 -n 3 -r 2 --only R41 -o jsonl
checks=$((checks + 1))
python3 - "$tmp/out" <<'END' || fail "one idea as JSON"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
what = "R41 matrix kernel by number of tokens"
assert [x["name"] for x in r["figures"]] == [what + " on", what + " off", "peak memory"]
assert all(len(x["samples"]) == 2 and min(x["samples"]) > 0 for x in r["figures"][:2])
END
expect 0 "$LEAT" bench ideas "$model" -p 20 -n 3 -r 2 --only gemm
out '^\| R41 \| '
checks=$((checks + 1))
[ "$(grep -c '^| R' "$tmp/out")" = 1 ] || fail "--only gemm shows more than R41"
expect 65 "$LEAT" bench ideas "$model" --only nothing
finish
