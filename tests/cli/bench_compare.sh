#!/bin/sh
# leat bench compare OLD NEW: fails on a loss beyond noise and beyond what is allowed, and on nothing else (R114). The
# files are made up, so that it is known what has to be found.
. "$(dirname "$0")/lib/common.sh"
cat >"$tmp/make.py" <<'END'
import json, sys
# make.py RATE SPREAD LATENCY: two modes of one model, six samples each around a mean
rate, spread, latency = map(float, sys.argv[1:4])
wave = [-1, -0.4, -0.1, 0.1, 0.4, 1]
def figure(name, unit, better, mean):
    return {"name": name, "unit": unit, "better": better, "samples": [mean * (1 + spread * w) for w in wave]}
head = {"schema": "leat.bench.mode/1", "model_filename": "/a/b/model.gguf", "type_k": "f16", "n_threads": 2,
        "n_batch": 512, "n_prompt": 32, "n_gen": 20, "n_requests": 4, "n_parallel": 2}
print(json.dumps({**head, "mode": "throughput", "figures": [figure("batched", "tokens/s", "more", rate),
                                                             figure("busy", "%", "neither", 100 / rate)]}))
print(json.dumps({**head, "mode": "latency", "figures": [figure("request", "ms", "less", latency)]}))
END
make() { python3 "$tmp/make.py" "$@"; }
make 100 0.01 20 >"$tmp/old"
make 101 0.01 20.1 >"$tmp/noise"
make 80 0.01 20 >"$tmp/slow"
make 100 0.01 26 >"$tmp/late"
make 97 0.002 20 >"$tmp/little"
make 80 0.6 26 >"$tmp/shaky"
make 130 0.01 15 >"$tmp/fast"
expect 0 "$LEAT" bench compare "$tmp/old" "$tmp/old"
out '^3 of 3 figures compared, 0 worse$'
expect 0 "$LEAT" bench compare "$tmp/old" "$tmp/noise"
expect 1 "$LEAT" bench compare "$tmp/old" "$tmp/slow"
out '^\| batched +\| tokens/s +\| +100 \| +80 \| +-20\.00 % \| .* WORSE '
out '^\| busy +\| % .* changed '
expect 1 "$LEAT" bench compare "$tmp/old" "$tmp/late"
out '^\| request +\| ms +\| +20 \| +26 \| +\+30\.00 % .* WORSE '
# three percent are a loss, and allowed unless told otherwise
expect 0 "$LEAT" bench compare "$tmp/little" "$tmp/little"
make 100 0.002 20 >"$tmp/sharp"
expect 0 "$LEAT" bench compare "$tmp/sharp" "$tmp/little"
out ' worse, allowed '
expect 1 "$LEAT" bench compare "$tmp/sharp" "$tmp/little" --max-regress 1
# a large difference of shaky figures is no finding
expect 0 "$LEAT" bench compare "$tmp/old" "$tmp/shaky"
expect 0 "$LEAT" bench compare "$tmp/old" "$tmp/fast"
out ' better '
expect 1 "$LEAT" bench compare "$tmp/fast" "$tmp/old" -o json
checks=$((checks + 1))
python3 - "$tmp/out" <<'END' || fail "comparison as JSON"
import json, sys
(r,) = json.load(open(sys.argv[1]))
assert r["n_compared"] == 3 and r["n_worse"] == 2
assert {x["name"] for x in r["changes"] if x["worse"]} == {"batched", "request"}
END
# what is not measured any more is told, and files that share nothing are refused
head -1 "$tmp/old" >"$tmp/half"
expect 0 "$LEAT" bench compare "$tmp/old" "$tmp/half"
err '^leat: 1 figures of .*/old are not in .*/half$'
sed 's/"n_threads": 2/"n_threads": 3/' "$tmp/old" >"$tmp/other"
expect 65 "$LEAT" bench compare "$tmp/old" "$tmp/other"
expect 66 "$LEAT" bench compare "$tmp/old" "$tmp/none"
expect 65 "$LEAT" bench compare "$tmp/old" "$0"
expect 2 "$LEAT" bench compare "$tmp/old"
expect 2 "$LEAT" bench compare "$tmp/old" "$tmp/old" "$tmp/old"
expect 2 "$LEAT" bench compre "$tmp/old" "$tmp/old"
err "did you mean 'compare'"
finish
