#!/bin/sh
# leat bench: the table, the keys, and the hash that says the same tokens came out.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
expect 0 "$LEAT" bench "$model" -p 8,4 -n 2 -pg 4,2 -d 0,8 -r 2 -t 1
out '^\| model +\| +size \| +params \| backend +\| threads \| +test \| +t/s \|$'
for name in pp8 pp4 tg2 'pp4\+tg2' 'pp8 @ d8' 'tg2 @ d8'; do
	out "\\| +$name \\| +[0-9.]+ ± +[0-9.]+ \\|\$"
done
out '^build: '
checks=$((checks + 1))
[ "$(grep -c '±' "$tmp/out")" = 8 ] || fail "wanted 8 rows"
"$LEAT" --version >"$tmp/version"
expect 0 "$LEAT" bench "$model" -p 8 -n 0 -r 3 -t 1,2 -o jsonl --deterministic
checks=$((checks + 1))
python3 - "$tmp/out" "$tmp/version" <<'END' || fail "keys or hashes of -o jsonl"
import json, sys
commit = [line.rstrip() for line in open(sys.argv[2]) if line.startswith("build: ")][0]
rows = [json.loads(line) for line in open(sys.argv[1])]
keys = """build_commit build_number cpu_info gpu_info backends model_filename model_type model_size model_n_params
n_batch n_ubatch n_threads cpu_mask cpu_strict poll type_k type_v n_gpu_layers split_mode main_gpu flash_attn devices
tensor_split load_mode embeddings n_prompt n_gen n_depth test_time avg_ns stddev_ns avg_ts stddev_ts
samples_ns samples_ts leat_version
weights_bytes_read_per_token rss_bytes tokens_sha256 deterministic""".split()
for r in rows:
    missing = [k for k in keys if k not in r]
    assert not missing, missing
    assert commit.endswith(", commit " + r["build_commit"]), (commit, r["build_commit"])
    assert len(r["samples_ns"]) == 3 and min(r["samples_ns"]) > 0
    mean = sum(r["samples_ts"]) / 3
    assert abs(mean - r["avg_ts"]) <= 1e-3 * mean, (mean, r["avg_ts"])
assert [r["n_threads"] for r in rows] == [1, 2]
assert len({r["tokens_sha256"] for r in rows}) == 1, "another number of threads gave other tokens"
assert len(rows[0]["tokens_sha256"]) == 64
END
expect 0 "$LEAT" bench "$model" -p 4 -n 2 -r 1 -o csv
checks=$((checks + 1))
[ "$(wc -l <"$tmp/out")" = 3 ] || fail "csv: wanted a head and two rows"
expect 2 "$LEAT" bench "$model" -p 0 -n 0
expect 2 "$LEAT" bench
finish
