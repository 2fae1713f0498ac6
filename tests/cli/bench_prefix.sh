#!/bin/sh
# leat bench prefix: what is reused of kept beginnings is what the engine promises.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 env TMPDIR="$tmp" "$LEAT" bench prefix "$model" -p 100 -n 4 -d 160 -t 1 --deterministic -o jsonl
	[ -z "$(ls "$tmp" | grep leat-bench)" ] || fail "$kind: the folder of states is still there"
	checks=$((checks + 1))
	python3 - "$tmp/out" $kind <<'END' || fail "prefix of $kind"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
f = {x["name"]: x for x in r["figures"]}
again = f["computed again before a branch"]["samples"]
assert r["holds"] is True and len(r["tokens_sha256"]) == 64
assert len(again) >= 16 and max(again) <= (32 if sys.argv[2] == "rwkv7" else 0), again
assert f["computed after a restart"]["samples"] == [1]
assert f["sooner behind 160 tokens"]["mean"] > 1
text = " ".join(r["remarks"])
assert "DIFFER" not in text and text.count("ids equal") == 2
END
done
expect 65 "$LEAT" bench prefix "$model" -n 65
expect 74 env TMPDIR=/proc/none "$LEAT" bench prefix "$model" -p 10 -n 1
finish
