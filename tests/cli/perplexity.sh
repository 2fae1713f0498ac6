#!/bin/sh
# leat perplexity: against sums made here from the rows of leat logits, a model that knows nothing, a base file and
# itself, base files of ill will.
. "$(dirname "$0")/lib/common.sh"

# value KEY: a number of the JSON object in $tmp/out.
value() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p" "$tmp/out"; }
# near KEY WANTED SHARE: within a share of it.
near() {
	checks=$((checks + 1))
	awk -v a="$(value "$1")" -v b="$2" -v s="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; w = b < 0 ? -b : b
		exit !(a != "" && d <= s * w + 1e-12) }' || fail "$1 is '$(value "$1")', wanted $2"
}

# What the rows of two runs say, in Python: for each window of ids the rows [first, window - 1) of $tmp/q, and of $tmp/p
# if it is there. Prints name and value.
cat >"$tmp/sums.py" <<'PY'
import array, math, sys
ids, vocab, width, window, first, step, begin = sys.argv[1], *map(int, sys.argv[2:8])
ids = list(map(int, open(ids).read().split()))
def rows(name, i):
    data = array.array("f")
    data.frombytes(open(f"{name}.{i}", "rb").read())
    return [data[r * width:r * width + vocab] for r in range(window - 1)]
def logs(row):
    top = max(row)
    z = top + math.log(math.fsum(math.exp(v - top) for v in row))
    return [v - z for v in row]
nll, base, kl, dp, same = [], [], [], [], 0
for i in range((len(ids) - window) // step + 1):
    q = rows(sys.argv[8], i)
    p = rows(sys.argv[9], i) if len(sys.argv) > 9 else q
    for r in range(first, window - 1):
        to, lq, lp = ids[i * step + r + 1], logs(q[r]), logs(p[r])
        nll.append(-lq[to])
        base.append(-lp[to])
        kl.append(math.fsum(math.exp(a) * (a - b) for a, b in zip(lp, lq)))
        dp.append((math.exp(lq[to]) - math.exp(lp[to])) ** 2)
        same += lq.index(max(lq)) == lp.index(max(lp))
n = len(nll)
mean = math.fsum(nll) / n
error = math.sqrt(math.fsum((v - mean) ** 2 for v in nll) / (n - 1) / n)
kl.sort()
print("n_scored", n)
print("ppl", math.exp(mean))
print("ppl_error", math.exp(mean) * error)
print("ppl_base", math.exp(math.fsum(base) / n))
print("kld_mean", math.fsum(kl) / n)
print("kld_median", (kl[n // 2] + kl[(n - 1) // 2]) / 2)
print("dp_rms", math.sqrt(math.fsum(dp) / n))
print("top_same", same / n)
PY

# windows NAME OPTION...: leat logits of each window of the ids, into $tmp/NAME.0 ...
windows() {
	name=$1
	shift
	awk -v w="$window" -v s="$step" -v b="$begin" '{ for (i = 0; i + w <= NF; i += s) { line = ""
		for (k = 1; k < w; k++) line = line " " (k == 1 && b >= 0 ? b : $(i + k)); print line } }' \
		"$tmp/ids" >"$tmp/windows"
	i=0
	while read -r line; do
		rm -f "$tmp/$name.f32"
		"$LEAT" logits "$model" --tokens "$line" -o "$tmp/$name.f32" "$@" </dev/null || fail "leat logits"
		mv "$tmp/$name.f32" "$tmp/$name.$i"
		i=$((i + 1))
	done <"$tmp/windows"
}
# compares SHARE KEY...: the JSON in $tmp/out with $tmp/sums.
compares() {
	share=$1
	shift
	for key; do
		near "$key" "$(sed -n "s/^$key //p" "$tmp/sums")" "$share"
	done
}
shape() {
	"$LEAT" inspect "$model" --json >"$tmp/out"
	vocab=$(value n_vocab)
	width=$(value n_rows)
}

for kind in rwkv7 qwen2; do
	find_model $kind
	shape
	begin=-1
	expect 0 "$LEAT" run "$model" -p "Once upon a time" -n 230 -s 7 --ignore-eos -q
	{ printf 'Once upon a time'; cat "$tmp/out"; } >"$tmp/text"
	"$LEAT" tokenize "$model" --ids -f "$tmp/text" >"$tmp/ids"

	# windows side by side, and windows that overlap
	window=64 step=64
	windows q --deterministic
	python3 "$tmp/sums.py" "$tmp/ids" "$vocab" "$width" 64 32 64 -1 "$tmp/q" >"$tmp/sums"
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --deterministic --json
	out '^\{"schema":"leat.perplexity/1","ppl":'
	compares 1e-7 n_scored ppl ppl_error
	rm -f "$tmp"/q.*
	window=40 step=10
	windows q --deterministic
	python3 "$tmp/sums.py" "$tmp/ids" "$vocab" "$width" 40 29 10 -1 "$tmp/q" >"$tmp/sums"
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 40 --stride 10 --deterministic --json
	compares 1e-7 n_scored ppl ppl_error
	rm -f "$tmp"/q.*

	# beside the reference mode of the same model
	window=64 step=64
	windows p --reference
	windows q --deterministic
	python3 "$tmp/sums.py" "$tmp/ids" "$vocab" "$width" 64 32 64 -1 "$tmp/q" "$tmp/p" >"$tmp/sums"
	rm -f "$tmp"/p.* "$tmp"/q.*
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --reference --kl-base "$tmp/base"
	out '^PPL = [0-9.]+ ± [0-9.]+$'
	expect 0 "$LEAT" perplexity "$model" --kl-base "$tmp/base" --kl --deterministic --json
	compares 1e-6 n_scored ppl ppl_error ppl_base
	compares 1e-4 kld_mean kld_median dp_rms top_same
	checks=$((checks + 1))
	awk -v k="$(value kld_mean)" 'BEGIN { exit !(k > 0 && k < 0.01) }' || fail "kld_mean $(value kld_mean)"
	# and beside itself
	expect 0 "$LEAT" perplexity "$model" --kl-base "$tmp/base" --kl --reference --json
	for key in kld_mean kld_max dp_rms ppl_delta ppl_delta_error; do
		near $key 0 0
	done
	near top_same 1 0
	expect 0 "$LEAT" perplexity "$model" --kl-base "$tmp/base" --kl --chunks 1 -v
	out '^32 tokens scored|^31 tokens scored'
	out '^same top-1  [0-9.]+ %$'
	err 'window 1: PPL'

	# the verdict
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --max-ppl 1e9
	expect 1 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --max-ppl 1.001
	out '^PPL = '

	# a model whose head is zero foretells nothing: the perplexity is the size of the vocabulary
	for name in output.weight token_embd.weight; do
		place=$("$LEAT" inspect "$model" --tensors --json | tr '{' '\n' |
			sed -n "s/^\"name\":\"$name\",.*\"bytes\":\([0-9]*\),\"offset\":\([0-9]*\),.*/\1 \2/p")
		[ -n "$place" ] && break
	done
	cp "$model" "$tmp/zero.gguf"
	dd if=/dev/zero of="$tmp/zero.gguf" conv=notrunc bs=4096 iflag=count_bytes oflag=seek_bytes \
		count="${place% *}" seek="${place#* }" 2>/dev/null
	expect 0 "$LEAT" perplexity "$tmp/zero.gguf" -f "$tmp/text" -c 64 --json
	near ppl "$vocab" 1e-9
	near ppl_error 0 0
	rm -f "$tmp/zero.gguf"
	mv "$tmp/base" "$tmp/base.$kind"
done

# a model that begins its texts with BOS has it first in every window: the demo model, told to by its metadata
find_model qwen2
python3 - "$model" "$tmp/bos.gguf" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
key = b"tokenizer.ggml.add_bos_token"
at = data.find(key)
if at > 0:
    data[at + len(key) + 4] = 1
    open(sys.argv[2], "wb").write(data)
PY
if [ -f "$tmp/bos.gguf" ]; then
	model=$tmp/bos.gguf
	shape
	begin=$("$LEAT" tokenize "$model" --ids a | cut -d' ' -f1)
	"$LEAT" tokenize "$model" --ids -f "$tmp/text" >"$tmp/ids"
	checks=$((checks + 1))
	[ "$(cut -d' ' -f1 "$tmp/ids")" = "$begin" ] || fail "the edited model adds no BOS"
	window=64 step=64
	windows q --deterministic
	python3 "$tmp/sums.py" "$tmp/ids" "$vocab" "$width" 64 32 64 "$begin" "$tmp/q" >"$tmp/sums"
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --deterministic --json
	out '"bos":true'
	compares 1e-7 n_scored ppl ppl_error
	expect 0 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --no-special --json
	out '"bos":false'
fi

# ---- wrong use ----
find_model qwen2
expect 2 "$LEAT" perplexity "$model" --kl
expect 2 "$LEAT" perplexity "$model" -f "$tmp/text" --kl-base "$tmp/base.qwen2" --kl
expect 2 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --stride 64
expect 2 "$LEAT" perplexity "$model" -f "$tmp/text" -c 7
expect 2 "$LEAT" perplexity "$model" --kl-base "$tmp/base.qwen2" --kl -c 32
err 'made with -c 64'
expect 2 "$LEAT" perplexity "$model" -f "$tmp/text" -c 64 --kl-base "$tmp/base.qwen2"
err 'exists'
expect 65 "$LEAT" perplexity "$model" -f "$tmp/text" -c 100000
err 'the text has [0-9]+ tokens, a window 100000'
expect 66 "$LEAT" perplexity "$model" -f "$tmp/absent"
expect 66 "$LEAT" perplexity "$model" --kl-base "$tmp/absent" --kl

# ---- base files of ill will: each is refused with the field's name, none is computed with ----
cat >"$tmp/edit.py" <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
for edit in sys.argv[3:]:
    form, at, value = edit.split(":")
    if form == "cut":
        data = data[:int(at)]
    elif form == "add":
        data += bytes(int(value))
    else:
        struct.pack_into("<" + form, data, int(at), float(value) if form == "f" else int(value))
open(sys.argv[2], "wb").write(data)
PY
refuses() {
	words=$1
	shift
	python3 "$tmp/edit.py" "$tmp/base.qwen2" "$tmp/bad" "$@"
	expect 65 "$LEAT" perplexity "$model" --kl-base "$tmp/bad" --kl
	err "$words"
	empty out
}
size=$(wc -c <"$tmp/base.qwen2")
: >"$tmp/bad"
expect 65 "$LEAT" perplexity "$model" --kl-base "$tmp/bad" --kl
refuses 'magic' cut:7:0
refuses 'first bytes differ' B:0:77
refuses 'version is 2' I:8:2
refuses 'head is 63' I:12:63
for value in 0 7 16777217 4294967295; do
	refuses "window is $value" I:16:$value
done
refuses 'stride is 64' I:20:64
refuses 'n_tokens' I:20:63
refuses 'n_windows is 0' I:24:0
refuses 'n_tokens' I:24:4294967295
refuses 'n_vocab is 0' I:28:0
refuses 'n_vocab is 4294967295' I:28:4294967295
refuses 'rows' I:28:16777216
refuses 'n_tokens' Q:32:0
refuses 'n_tokens' Q:32:18446744073709551615
refuses 'another vocabulary' Q:40:1
refuses 'begin is -2' i:48:-2
refuses 'begin is 2147483647' i:48:2147483647
refuses 'reserved' B:63:1
refuses 'token 3 is -1' i:76:-1
# The windows and tokens agree, the rows are not there: nothing is allocated for them.
refuses 'tokens' I:16:16777216 I:24:1 Q:32:16777216
refuses 'cut short' "cut:$((size - 1)):0"
refuses 'cut short' add:0:4
python3 "$tmp/edit.py" "$tmp/base.qwen2" "$tmp/bad" f:$((size - 4)):nan
expect 65 "$LEAT" perplexity "$model" --kl-base "$tmp/bad" --kl
err 'row [0-9]+ of the base holds a NaN'
mkdir "$tmp/folder"
expect 74 "$LEAT" perplexity "$model" --kl-base "$tmp/folder" -f "$tmp/text" -c 64 --force
checks=$((checks + 1))
[ "$(find "$tmp" -name 'base*.*' | wc -l)" = 2 ] || fail "temporary files were left"
finish
