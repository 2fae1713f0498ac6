#!/bin/sh
# leat bench stream: every way of reading gets the ids of plain generation, and says what it costs.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" bench stream "$model" -d 5,20 -r 3 -t 1 -o jsonl
	checks=$((checks + 1))
	python3 - "$tmp/out" <<'END' || fail "stream of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
assert r["holds"] is True and len(r["tokens_sha256"]) == 64, r["remarks"]
f = {x["name"]: x for x in r["figures"]}
ways = "plain", "pull", "callback, empty", "callback, counting", "callback, formatting", "asynchronous"
assert len(f) == 2 * (3 * len(ways) - 1) + 1 and "peak memory" in f
for n in 5, 20:
    for way in ways:
        for kind in ("", ", CPU", ", stream") if way != "plain" else ("", ", CPU"):
            x = f[f"{way} @ {n}{kind}"]
            assert len(x["samples"]) == 3 and (min(x["samples"]) > 0 or kind == ", stream") and x["unit"] == "ns/token"
assert len(r["remarks"]) == 2 * 2 * (len(ways) - 1), r["remarks"]
END
done
expect 0 "$LEAT" bench stream "$model" -d 3 -r 1 --deterministic
out '^   3 tokens, pull +the stream itself: -?[0-9]+ ns/token, '
out '^   3 tokens, asynchronous +over plain: +[-+][0-9]+ ns/token, '
expect 65 "$LEAT" bench stream "$model" -d 0 -r 1
finish
