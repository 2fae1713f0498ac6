#!/bin/sh
# libleat.so from Python, without any binding: open, text, run, rows of logits, states, errors.
. "$(dirname "$0")/../cli/lib/common.sh"
[ -f "$build/libleat.so" ] || { echo "skipped: this build has no libleat.so" && exit 77; }
command -v python3 >/dev/null || { echo "skipped: no python3 here" && exit 77; }
python3 -c 'import ctypes' || { echo "skipped: this python3 has no ctypes" && exit 77; }
for kind in rwkv7 qwen2; do
	find_model $kind
	expect 0 python3 "$here/smoke.py" "$build/libleat.so" "$model"
	out "^$kind: as the header says"
done
finish
