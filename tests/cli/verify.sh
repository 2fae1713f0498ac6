#!/bin/sh
# leat inspect --verify: a sound file, and refusals that say what, where, at which byte and what to do.
. "$(dirname "$0")/lib/common.sh"
for kind in rwkv7 qwen2; do
	find_model $kind
	"$LEAT" inspect "$model" --json >"$tmp/info"
	n_numbers=$("$LEAT" inspect "$model" --tensors | awk '/^tensor / { list = 1; next } list {
		n = $3; for (i = 5; $(i - 1) == "x"; i += 2) n *= $i; sum += n } END { printf "%d", sum }')
	n_tensors=$(sed 's/.*"n_tensors":\([0-9]*\).*/\1/' "$tmp/info")
	expect 0 "$LEAT" inspect "$model" --verify
	out "^verify +ok: .* $n_numbers numbers in $n_tensors tensors, all finite$"
	empty err
	expect 0 "$LEAT" inspect "$model" --verify --json
	out "\"verify\":\{\"ok\":true,\"n_tensors\":$n_tensors,\"n_numbers\":$n_numbers\}"

	# one number that is none, in the last tensor of float32
	"$LEAT" inspect "$model" --tensors | awk '$2 == "F32" { line = $0 } END { print line }' >"$tmp/line"
	name=$(awk '{ print $1 }' "$tmp/line")
	offset=$(awk '{ print $NF }' "$tmp/line")
	bytes=$(awk '{ print $(NF - 1) }' "$tmp/line")
	cp "$model" "$tmp/nan.gguf"
	printf '\000\000\300\177' | dd of="$tmp/nan.gguf" conv=notrunc bs=1 seek=$((offset + 8)) 2>/dev/null
	expect 1 "$LEAT" inspect "$tmp/nan.gguf" --verify
	out "tensor '$name': 1 of $((bytes / 4)) numbers are NaN or infinite, the first is number 2"
	out "byte $((offset + 8))$"
	expect 1 "$LEAT" inspect "$tmp/nan.gguf" --verify --json
	out "\"verify\":\{\"ok\":false,\"code\":\"model_nonfinite\",.*\"where\":\"$name\",\"offset\":$((offset + 8)),"
	# only those who ask are told: the file can be looked at
	expect 0 "$LEAT" inspect "$tmp/nan.gguf"

	# an architecture that nobody knows: sound, but not for this build
	python3 - "$model" "$tmp/odd.gguf" <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
at = data.index(b"general.architecture") + len("general.architecture") + 12
open(sys.argv[2], "wb").write(data[:at] + b"qwerz" + data[at + 5:])
PY
	expect 1 "$LEAT" inspect "$tmp/odd.gguf" --verify
	out '^verify +rejected: unsupported_model'
	out 'qwerz'
	out 'may be sound'

	# cut short, of another kind, absent
	head -c 100000 "$model" >"$tmp/cut.gguf"
	expect 1 "$LEAT" inspect "$tmp/cut.gguf" --verify
	out '^verify +rejected: invalid_model_file'
	out '^ +byte [0-9]+$'
	out 'checksum'
	expect 1 "$LEAT" inspect "$tmp/cut.gguf" --verify --json
	out '"runnable":false,"verify":\{"ok":false,"code":"invalid_model_file","message":'
	expect 65 "$LEAT" inspect "$tmp/cut.gguf"
	empty out
done
expect 66 "$LEAT" inspect "$tmp/absent" --verify
finish
