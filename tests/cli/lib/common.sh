# common.sh - what the tests of the program share; sourced. Says which check failed and goes on; `finish` gives the
# verdict.
# Needs LEAT (the program); finds a small model in models/ or in the oracle, else skips (exit 77).
set -u
: "${LEAT:?set LEAT to the program}"
here=$(cd "$(dirname "$0")" && pwd)
root=${LEAT_SOURCE_DIR:-$(cd "$here/../.." && pwd)}
oracle=${LEAT_ORACLE:-$root/../shared/oracle}
build=${LEAT_BUILD_DIR:-$root/build}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# The caller's settings must not reach the program.
for name in $(env | sed -n 's/^\(LEAT_[A-Z_]*\)=.*/\1/p'); do
	unset "$name"
done
checks=0
failed=0

# model NAME: path of a small model into $model; NAME rwkv7 or qwen2.
find_model() {
	case $1 in
	rwkv7) set -- "$root/models/demo-rwkv7.gguf" "$oracle/rwkv/rwkv-7v0-834K/model.gguf" ;;
	qwen2) set -- "$root/models/demo-qwen2.gguf" "$oracle/hf-gguf/qwen2-tied.gguf" ;;
	esac
	for model; do
		[ -f "$model" ] && return 0
	done
	echo "skipped: no model in $root/models"
	exit 77
}

fail() {
	failed=$((failed + 1))
	echo "FAILED: $*"
}

# expect CODE COMMAND...: runs it, stdout to $tmp/out, stderr to $tmp/err.
expect() {
	want=$1
	shift
	checks=$((checks + 1))
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ "$got" = "$want" ] && return 0
	fail "exit $got, wanted $want: $*"
	head -3 "$tmp/err"
}

# out PATTERN / err PATTERN: the last command's output matches (grep -E).
out() {
	checks=$((checks + 1))
	grep -Eq -- "$1" "$tmp/out" || fail "stdout lacks '$1': $(head -c 200 "$tmp/out")"
}
err() {
	checks=$((checks + 1))
	grep -Eq -- "$1" "$tmp/err" || fail "stderr lacks '$1': $(head -c 200 "$tmp/err")"
}
empty() {
	checks=$((checks + 1))
	[ -s "$tmp/$1" ] && fail "$1 is not empty: $(head -c 200 "$tmp/$1")"
}
same() {
	checks=$((checks + 1))
	cmp -s "$1" "$2" || fail "$1 and $2 differ"
}
differ() {
	checks=$((checks + 1))
	cmp -s "$1" "$2" && fail "$1 and $2 are equal"
}

finish() {
	echo "$checks checks, $failed failed"
	[ "$failed" = 0 ]
	exit
}
