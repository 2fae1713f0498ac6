#!/bin/sh
# leat bench --log: an entry per result; a change of what is written fails unless it is announced (U59).
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
log=$tmp/log.jsonl
set -- bench latency "$model" -p 5 -n 4 -r 2 --warmups 0 -t 1 --log "$log"
expect 0 "$LEAT" "$@" --title 'the "first" run'
expect 0 "$LEAT" "$@" --opt plan_cache=off
expect 0 "$LEAT" bench "$model" -p 3 -n 2 -r 2 -t 1 --log "$log"
checks=$((checks + 1))
python3 - "$log" <<'END' || fail "entries of the log"
import json, sys
e = [json.loads(line) for line in open(sys.argv[1])]
assert [x["mode"] for x in e] == ["latency", "latency", "", ""] and e[0]["title"] == 'the "first" run'
assert all(x["schema"] == "leat.bench.log/1" and x["accepted"] and not x["hash_changed"] for x in e)
assert e[0]["tokens_sha256"] == e[1]["tokens_sha256"] and len(e[0]["tokens_sha256"]) == 64
assert e[1]["opts"] == "plan_cache=off" and e[0]["medians"]["request"] > 0
assert set(e[2]["medians"]) == {"pp3"} and set(e[3]["medians"]) == {"tg2"} and e[2]["n_threads"] == 1
END
# somebody wrote something else before: told once, and again until it is announced
sed -i 's/\("tokens_sha256":"\)[0-9a-f]\{4\}/\10000/' "$log"
expect 1 "$LEAT" "$@"
err 'has changed: tokens_sha256 was 0000[0-9a-f]{60}, is [0-9a-f]{64}'
expect 1 "$LEAT" "$@"
expect 0 "$LEAT" "$@" --new-hash --title 'another kernel'
expect 0 "$LEAT" "$@"
expect 1 "$LEAT" bench "$model" -p 3 -n 2 -r 1 -t 1 --log "$log"
checks=$((checks + 1))
python3 - "$log" <<'END' || fail "changes in the log"
import json, sys
e = [json.loads(line) for line in open(sys.argv[1])][4:]
assert [(x["hash_changed"], x["accepted"]) for x in e[:4]] == [(True, False)] * 2 + [(True, True), (False, True)]
END
# lines that are no entries are passed over
printf 'x\n{"key": 3}\n[]\n' >>"$log"
expect 0 "$LEAT" "$@"
expect 74 "$LEAT" bench latency "$model" -p 5 -n 4 -r 1 --warmups 0 --log "$tmp/none/log"
finish
