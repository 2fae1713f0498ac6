#!/bin/sh
# --load-mode: every mode gives the same text; one that cannot be had says why.
. "$(dirname "$0")/lib/common.sh"

find_model qwen2
"$LEAT" run "$model" -p "Once upon a time" -n 12 --temp 0 -q >"$tmp/want" </dev/null
for mode in auto mmap lazy read direct mlock; do
	"$LEAT" run "$model" -p "Once upon a time" -n 12 --temp 0 -q --load-mode $mode \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	checks=$((checks + 1))
	if [ $got = 0 ]; then
		cmp -s "$tmp/want" "$tmp/out" || fail "--load-mode $mode: another text"
	elif [ $mode = direct ] && [ $got = 65 ]; then
		err 'does not read around its cache'
	elif [ $mode = mlock ] && [ $got = 69 ]; then
		err 'RLIMIT_MEMLOCK'
	else
		fail "--load-mode $mode: exit $got: $(head -c 300 "$tmp/err")"
	fi
done
"$LEAT" run "$model" -p x --load-mode fast >"$tmp/out" 2>"$tmp/err" </dev/null
got=$?
checks=$((checks + 1))
[ $got = 2 ] || [ $got = 64 ] || fail "--load-mode fast: exit $got"
err 'load-mode'
finish
