#!/bin/sh
# A model file that is shortened while it is mapped: one line that says so, exit 74.
. "$(dirname "$0")/lib/common.sh"

# truncated KIND [OPTION...]: runs a copy without end, waits for its first text, takes the file's pages away.
truncated() {
	find_model "$1"
	shift
	cp "$model" "$tmp/copy.gguf"
	: >"$tmp/out"
	# A program that goes on all the same must not hang the test.
	timeout -s KILL 60 "$LEAT" run "$tmp/copy.gguf" -p hi --ignore-eos -q "$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	tries=0
	while [ ! -s "$tmp/out" ] && [ $tries -lt 600 ] && kill -0 $pid 2>/dev/null; do
		sleep 0.05
		tries=$((tries + 1))
	done
	: >"$tmp/copy.gguf"
	wait $pid
	got=$?
	checks=$((checks + 3))
	[ -s "$tmp/out" ] || fail "no text came before the file was shortened"
	[ $got = 74 ] || fail "exit $got, wanted 74"
	[ "$(wc -l <"$tmp/err")" = 1 ] || fail "wanted one line on stderr: $(head -c 300 "$tmp/err")"
}

truncated rwkv7 -n 2000000000
err '^leat: the model file changed or could not be read while it was mapped$'
# Threads may lose their pages at the same time: still one line and no signal.
for round in 1 2 3 4 5; do
	truncated rwkv7 -n 2000000000 -t $((2 + round % 3))
	err '^leat: the model file changed'
done
truncated rwkv7 -n 2000000000 --json
err '^\{.*"code":"model_io_error".*"status":-2,"exit":74\}\}$'

# A SIGBUS that somebody sends is not about a file.
find_model rwkv7
: >"$tmp/out"
"$LEAT" run "$model" -p hi --ignore-eos -q -n 2000000000 >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
while [ ! -s "$tmp/out" ] && kill -0 $pid 2>/dev/null; do
	sleep 0.05
done
kill -BUS $pid
wait $pid 2>/dev/null
got=$?
checks=$((checks + 1))
[ $got -gt 128 ] || fail "kill -BUS: exit $got, wanted death by the signal"
empty err
finish
