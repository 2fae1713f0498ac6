#!/bin/sh
# leat bench kernels: components, kernels, matrices and layers each add up to what the step took (R102, R103).
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	for threads in 1 2; do
		find_model $kind
		# a step may be interrupted between its borders, which is told with exit code 1
		"$LEAT" bench kernels "$model" -p 9 -n 12 -r 3 -t $threads -o jsonl >"$tmp/out"
		got=$?
		checks=$((checks + 1))
		[ $got -le 1 ] || fail "kernels of $kind: exit $got"
		python3 - "$tmp/out" $kind <<'END' || fail "kernels of $kind, $threads threads"
import json, sys
(r,) = [json.loads(line) for line in open(sys.argv[1])]
recurrent = sys.argv[2] == "rwkv7"
f = {x["name"]: x for x in r["figures"]}
total = 0
for of in "prompt: ", "decode: ":
    of_this = {k[len(of):]: x["samples"] for k, x in f.items() if k.startswith(of)}
    parts = ["embedding", "norms", "feed-forward", "head", "sampling", "dispatch"]
    parts += ["time mix"] if recurrent else ["attention", "rope"]
    assert ("attention" in of_this) is ("rope" in of_this) is not recurrent and "other" not in of_this
    for i in range(3):
        parts_us = sum(of_this[p][i] for p in parts)
        step = of_this["step, timed"][i]
        assert abs(100 * parts_us / step - of_this["sum of components"][i]) < 1e-6
        kernels = sum(v[i] for k, v in of_this.items() if k.startswith("kernel "))
        assert abs(kernels - (parts_us - of_this["sampling"][i] - of_this["dispatch"][i])) < 1e-6 * kernels
        products = sum(v[i] for k, v in of_this.items() if " products " in k)
        assert abs(products - of_this["kernel product"][i]) < 1e-6 * products
        assert abs(100 * products / step - of_this["share of products"][i]) < 1e-6
        layers = of_this["one layer"]
        per_run = len(layers) // 3
        assert 0 < sum(layers[i * per_run:(i + 1) * per_run]) < parts_us
        assert of_this["dispatch"][i] > 0 and len(of_this["step"]) == 3
    assert f[of + "kernels of a step"]["max"] > 50
assert len(r["tokens_sha256"]) == 64
shares = [float(line.split()[-5]) for line in r["remarks"] if line.strip().startswith("step ")]
assert len(shares) == 2 and r["holds"] is all(95 <= s <= 105 for s in shares), (shares, r["remarks"])
END
		checks=$((checks + 1))
	done
done
# taking times changes no token
"$LEAT" bench phases "$model" -p 9 -n 12 -r 1 -t 2 >"$tmp/out"
grep '^tokens_sha256: ' "$tmp/out" >"$tmp/plain" || true
"$LEAT" bench kernels "$model" -p 9 -n 12 -r 1 -t 2 >"$tmp/out"
grep '^tokens_sha256: ' "$tmp/out" >"$tmp/timed"
same "$tmp/plain" "$tmp/timed"
expect 2 "$LEAT" bench kernels "$model" -n 0
finish
