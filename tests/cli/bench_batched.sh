#!/bin/sh
# leat bench batched: a row for 1, 2, 4 ... sequences whose rates hang together.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" bench batched "$model" -p 9 -n 3 --parallel 5 -r 2 -b 20 -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "batched of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x["samples"] for x in r["figures"]}
assert set(f) == {"peak memory"} | {f"B={n} {w}" for n in (1, 2, 4) for w in ("S_PP", "S_TG", "S")}
for n in 1, 2, 4:
    for pp, tg, s in zip(*(f[f"B={n} {w}"] for w in ("S_PP", "S_TG", "S"))):
        assert abs((9 / pp + 3 / tg) * s - 12) < 1e-6, (pp, tg, s)
END
done
expect 0 "$LEAT" bench batched "$model" -p 9 -n 3 --parallel 2 -r 1
out '^\|     9 \|      3 \|    2 \|     24 \|( +[0-9]+\.[0-9]+ \|){6}$'
finish
