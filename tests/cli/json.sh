#!/bin/sh
# --json: every line is an object whose first key is the schema; errors too, on standard error.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7

lines() {
	checks=$((checks + 1))
	python3 - "$1" "$2" <<'END' || fail "$2 of '$1' is not JSON as promised"
import json, sys
lines = open(sys.argv[2], encoding="utf-8").read().splitlines()
assert lines, "nothing written"
for line in lines:
    o = json.loads(line)
    assert list(o)[0] == "schema" and o["schema"] == "leat.%s/1" % sys.argv[1], line[:80]
END
}

expect 0 "$LEAT" run "$model" -p "a \"b\"" -n 30 --temp 2 --top-p 1 --top-k 0 --seed 3 --json
lines run "$tmp/out"
out '"event":"end","finish":"(length|eos)","seed":3'
expect 0 "$LEAT" inspect "$model" --tensors --metadata --json
lines inspect "$tmp/out"
expect 0 "$LEAT" tokenize "$model" 'hello' --json
lines tokenize "$tmp/out"
expect 0 "$LEAT" logits "$model" -p abc --top 3 --json
lines logits "$tmp/out"
expect 0 "$LEAT" logits "$model" -p abc --last --json
lines logits "$tmp/out"
expect 0 "$LEAT" bench "$model" -p 8 -n 4 -r 2 --json
lines bench "$tmp/out"
expect 0 "$LEAT" bench "$model" -p 8 -n 4 -r 2 -o json
checks=$((checks + 1))
python3 -m json.tool <"$tmp/out" >/dev/null || fail "bench -o json"
expect 0 "$LEAT" doctor "$model" --json --opts --effective
lines doctor "$tmp/out"
expect 0 "$LEAT" synth --list --json
lines synth "$tmp/out"
expect 66 "$LEAT" run "$tmp/absent" -p a --json
empty out
lines error "$tmp/err"
expect 2 "$LEAT" run "$model" -p a --nonsense --json
lines error "$tmp/err"
expect 65 "$LEAT" run /dev/null -p a --json
lines error "$tmp/err"
finish
