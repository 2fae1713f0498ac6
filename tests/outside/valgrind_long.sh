#!/bin/sh
# Every unit and golden program under valgrind. A test may fail there because it is slow; what counts is whether memory
# was misused. Leaks are the address sanitizer's.
. "$(dirname "$0")/../cli/lib/common.sh"
command -v valgrind >/dev/null || { echo "skipped: no valgrind" && exit 77; }
LEAT_ORACLE=$oracle LEAT_SOURCE_DIR=$root LEAT_BUILD_DIR=$build
export LEAT LEAT_ORACLE LEAT_SOURCE_DIR LEAT_BUILD_DIR
for program in "$build"/tests/unit_* "$build"/tests/golden_*; do
	checks=$((checks + 1))
	(cd "$build" && timeout 900 valgrind -q --error-exitcode=99 --leak-check=no "$program") \
		>"$tmp/out" 2>&1 </dev/null
	got=$?
	if [ $got = 99 ]; then
		fail "$(basename "$program")"
		grep '^==' "$tmp/out" | head -20
	elif [ $got != 0 ]; then
		echo "$(basename "$program"): exit $got, no misuse of memory until then"
	fi
done
[ $checks -gt 10 ] || fail "only $checks programs"
finish
