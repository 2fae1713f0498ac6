#!/bin/sh
# --trace: a timeline that parses, whose spans lie inside each other, of requests that end; bounded; and the phases of
# --verbose (R101, U63).
. "$(dirname "$0")/lib/common.sh"

# look FILE PYTHON: names as n, events as ev, spans by name as span(name).
look() {
	checks=$((checks + 1))
	python3 - "$1" "$2" <<'END' || fail "$1: $2"
import collections, json, sys
t = json.load(open(sys.argv[1]))
ev = t["traceEvents"]
n = collections.Counter(e["name"] for e in ev)
lost = t["otherData"]["lost"]
assert t["otherData"]["events"] == len(ev) + lost
assert all(e["ph"] in "Xibe" and e["ts"] >= 0 and isinstance(e["tid"], int) for e in ev)
def span(name):
    return [(e["ts"], e["ts"] + e["dur"]) for e in ev if e["name"] == name and e["ph"] == "X"]
# spans of one thread are apart or inside each other (to the rounding of a nanosecond)
by_thread = collections.defaultdict(list)
for e in ev:
    if e["ph"] == "X":
        by_thread[e["tid"]].append((round(e["ts"] * 1000), -round((e["ts"] + e["dur"]) * 1000)))
for spans in by_thread.values():
    open_until = []
    for begin, end in sorted(spans):
        while open_until and open_until[-1] <= begin:
            open_until.pop()
        assert not open_until or -end <= open_until[-1], (begin, -end, open_until[-1])
        open_until.append(-end)
exec(sys.argv[2])
END
}

for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 12 --temp 0 -t 1 --trace "$tmp/t.json" -v
	err 'steps of one token, us each: launch [0-9.]+, submit [0-9.]+, wait [0-9.]+, sample [0-9.]+, step [0-9.]+$'
	cp "$tmp/out" "$tmp/traced"
	look "$tmp/t.json" '
assert n["step"] == n["launch"] == n["submit"] == n["wait"] == n["sample"] == n["text"] == 12, n
assert n["plan hit"] + n["plan miss"] >= 12 and n["build"] == n["encode"] >= 2, n
assert n["product"] > 12 and n["layer"] > 12 and not lost
assert [e["ph"] for e in ev if e["name"] == "request"] == ["b", "e"]
assert {e["args"]["tokens"] for e in ev if e["name"] == "step"} >= {1}
# ops are inside submit, submit inside step
assert all(any(a <= b and c <= d for a, d in span("submit")) for b, c in span("product"))
assert all(any(a <= b and c <= d for a, d in span("step")) for b, c in span("submit"))'
	# it changes no token, and is bounded
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 12 --temp 0 -t 1
	same "$tmp/out" "$tmp/traced"
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 40 --temp 0 --trace "$tmp/s.json" --trace-events 1000
	look "$tmp/s.json" 'assert len(ev) == 1000 and lost > 0'
	expect 0 "$LEAT" bench throughput "$model" --requests 5 --parallel 3 -p 9 -n 4 -r 1 --warmups 0 \
		--trace "$tmp/b.json"
	look "$tmp/b.json" '
assert sum(e["ph"] == "e" for e in ev) == sum(e["ph"] == "b" for e in ev) == 10
assert max(e["args"]["sequences"] for e in ev if e["name"] == "step") >= 2'
done
# cache hits and misses of prompts, and housekeeping
long="Once upon a time there was a little girl who lived in a village near the forest, and every day she went to see"
long="$long her grandmother, who told her of the old days, of kings and of ships, until the sun had gone down."
printf '%s\n%s\n' "$long" "$long" >"$tmp/prompts"
expect 0 "$LEAT" run "$model" --prompts "$tmp/prompts" -np 1 -n 2 --prefix-cache-ram 16M --maintain 1 \
	--trace "$tmp/p.json"
look "$tmp/p.json" 'assert n["prefix hit"] >= 1 and n["prefix miss"] >= 1 and n["upkeep"] >= 1, n'
expect 66 "$LEAT" run "$model" -p x -n 1 --trace "$tmp/none/t.json"
expect 2 "$LEAT" run "$model" -p x -n 1 --trace "$tmp/t.json" --trace-events 5
finish
