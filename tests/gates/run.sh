#!/bin/sh
# Each gate passes on a small clean tree and fails, naming the culprit, on the same tree with one violation.
# shellcheck disable=SC2016 # backticks of Markdown
set -eu
root=${LEAT_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/repo/leat
failures=0

lines() { printf '%s\n' "$@"; }

# A tree that every gate accepts.
fresh_tree() {
	rm -rf "$work/repo"
	mkdir -p "$tree/src/base" "$tree/src/format" "$tree/src/cpu" "$tree/include/leat" "$tree/tools" "$tree/docs" \
		"$tree/cli" "$tree/tests" "$work/repo/shared/design"
	cp "$root/tools/layers.txt" "$tree/tools/"
	printf '#include "base/one.h"\n\nint leat_one(void)\n{\n\treturn 1;\n}\n' >"$tree/src/base/one.c"
	printf 'int leat_one(void);\n' >"$tree/src/base/one.h"
	lines '| id | what |' '|---|---|' '| R1 | a thing |' '| N2 | another |' \
		>"$work/repo/shared/design/REQUIREMENTS.md"
	lines '| id | what | state | shown by |' '|---|---|---|---|' '| R1 | thing | done | `make it` |' \
		'| N2 | other | not yet | |' >"$tree/docs/STATUS.md"
}

# Compiles the tree's library the way the build lays it out.
build_tree() {
	objects=$tree/build/CMakeFiles/libleat.dir/src
	for source in "$tree"/src/*/*.c; do
		folder=$objects/$(basename "$(dirname "$source")")
		mkdir -p "$folder"
		cc -O1 -fPIC -I"$tree/src" -I"$tree/include" -c "$source" -o "$folder/$(basename "$source").o"
	done
	ar rcs "$tree/build/libleat.a" "$objects"/*/*.o
}

# Links the tree's libleat.so from its objects, with the version script or with the options given.
share_tree() {
	[ $# -gt 0 ] || set -- "-Wl,--version-script=$root/cmake/leat.map"
	cc -shared "$@" -o "$tree/build/libleat.so" "$tree"/build/CMakeFiles/libleat.dir/src/*/*.o
}

gate() { python3 "$root/tools/check_$1.py" --root "$tree"; }

# passes GATE
passes() {
	if said=$(gate "$1" 2>&1); then
		echo "ok: $1 passes on a clean tree"
	else
		echo "FAILED: $1 refuses a clean tree: $said"
		failures=$((failures + 1))
	fi
}

# refuses GATE WORDS: the gate fails, and says WORDS.
refuses() {
	if said=$(gate "$1" 2>&1); then
		echo "FAILED: $1 does not see: $2"
		failures=$((failures + 1))
	elif ! printf '%s' "$said" | grep -qF -- "$2"; then
		echo "FAILED: $1 refuses, but without the words '$2': $said"
		failures=$((failures + 1))
	else
		echo "ok: $1 sees: $2"
	fi
}

# repeat N TEXT: N lines, %d numbered.
repeat() {
	i=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		echo "$2" | sed "s/%d/$i/g"
	done
}

test_layers() {
	fresh_tree
	passes layers
	printf '#include "format/gguf.h"\n' >>"$tree/src/base/one.c"
	refuses layers "base/ may not include format/"
	fresh_tree
	printf '#include "one.h"\n' >>"$tree/src/base/one.c"
	refuses layers "does not name its folder"
	fresh_tree
	printf '#include "base/../format/gguf.h"\n' >>"$tree/src/base/one.c"
	refuses layers "climbs out of its folder"
	fresh_tree
	printf '#include "cpu/isa.h"\n' >"$tree/cli/main.c"
	refuses layers "cli/ may not include cpu/"
	fresh_tree
	mkdir "$tree/src/attic"
	echo "int leat_attic;" >"$tree/src/attic/old.c"
	refuses layers "folder 'attic' is not in tools/layers.txt"
	fresh_tree
	printf 'late: later\nlater: late\nmore: cpu\n' >>"$tree/tools/layers.txt"
	refuses layers "late names later, which is not listed above it"
	refuses layers "more names cpu, which is a leaf"
}

test_dup() {
	fresh_tree
	for word in an ox ate my hay on the day after; do
		echo "int leat_$word(void);"
	done >"$tree/src/base/a.h"
	passes dup
	cp "$tree/src/base/a.h" "$tree/src/base/b.h"
	refuses dup "product: 18 of"
	fresh_tree
	# The names differ in their numbers only: a renumbered copy is a copy.
	repeat 30 "call(%d);" >"$tree/tests/test_a.c"
	refuses dup "tests: 30 of 30"
}

test_style() {
	fresh_tree
	passes style
	printf 'int leat_two; \n' >>"$tree/src/base/one.c"
	refuses style "one.c:7: trailing space"
	fresh_tree
	repeat 1 "int leat_$(printf 'x%.0s' $(seq 130));" >>"$tree/src/base/one.c"
	refuses style "columns, limit 120"
	fresh_tree
	repeat 301 "int leat_%d(void);" >"$tree/src/base/long.h"
	refuses style "long.h: 301 lines, limit 300"
	{
		echo "/* style: table */"
		cat "$tree/src/base/long.h"
	} >"$tree/src/base/table.h"
	rm "$tree/src/base/long.h"
	passes style
	repeat 801 "int leat_%d(void);" >"$tree/src/base/long.c"
	refuses style "long.c: 801 lines, limit 800"
	fresh_tree
	{
		printf 'int leat_big(int x)\n{\n'
		repeat 90 "	x += %d;"
		printf '\treturn x;\n}\n'
	} >"$tree/src/base/big.c"
	refuses style "leat_big() is 94 lines, limit 80"
	fresh_tree
	lines '/* strcpy(a, b) */' 'void leat_f(char *a)' '{' \
		'	strcpy(a, "x");' '	exit(1);' '	fputs(a, stderr);' '}' \
		>"$tree/src/base/f.c"
	refuses style "f.c:4: strcpy() is banned"
	refuses style "f.c:5: exit() is banned"
	refuses style "f.c:6: the library does not use stderr"
	fresh_tree
	printf 'typedef struct leat_a leat_a;\ntypedef int leat_b_t;\n    int leat_c;\n' >"$tree/src/base/t.h"
	refuses style "a struct is not typedef'd"
	refuses style "leat_b_t: names ending in _t"
	refuses style "t.h:3: indent with tabs"
}

test_symbols() {
	fresh_tree
	gate symbols | grep -q "^skipped: " || refuses symbols "skipped on a tree that was not built"
	build_tree
	passes symbols
	printf 'int two(void);\nint two(void)\n{\n\treturn 2;\n}\n' >>"$tree/src/base/one.c"
	build_tree
	refuses symbols "global symbol two does not begin with leat_"
	fresh_tree
	lines '#include <stdio.h>' '#include <stdlib.h>' 'void leat_p(int x)' '{' \
		'	printf("%d", x);' '	exit(x);' '}' \
		>"$tree/src/base/p.c"
	build_tree
	refuses symbols "p.c.o: uses printf"
	refuses symbols "p.c.o: uses exit"
	fresh_tree
	lines '#define LEAT_API __attribute__((visibility("default")))' 'LEAT_API int leat_one(void);' \
		'/* LEAT_API int leat_gone(void); */' >"$tree/include/leat/leat.h"
	build_tree
	share_tree
	passes symbols
	echo 'LEAT_API int leat_more(void);' >>"$tree/include/leat/leat.h"
	touch -d '1 hour ago' "$tree/build/libleat.a"
	refuses symbols "libleat.a is older than include/leat/leat.h"
	touch -d '1 hour' "$tree/build/libleat.a"
	refuses symbols "libleat.so does not export leat_more"
	sed -i '/LEAT_API int/d' "$tree/include/leat/leat.h"
	refuses symbols "libleat.so exports leat_one"
	share_tree -Wl,--default-symver
	refuses symbols "leat_one has the version 'libleat.so', not LEAT_0"
}

# One object at a time has flags of its own here: AVX in isa_avx2.c is right, in kernels.c it is a leak.
test_isa() {
	fresh_tree
	build_tree
	passes isa
	lines 'typedef float leat_v __attribute__((vector_size(BYTES)));' 'void leat_f(leat_v *x)' \
		'{' '	*x += *x;' '}' >"$tree/vector.c"
	to=$tree/build/CMakeFiles/libleat.dir/src/cpu
	mkdir -p "$to"
	cc -O1 -mavx2 -DBYTES=32 -c "$tree/vector.c" -o "$to/isa_avx2.c.o"
	cc -O1 -mavx512f -DBYTES=64 -c "$tree/vector.c" -o "$to/isa_avx512.c.o"
	passes isa
	cp "$to/isa_avx512.c.o" "$to/isa_avx2.c.o"
	refuses isa "src/cpu/isa_avx2.c: leat_f()"
	rm "$to/isa_avx2.c.o"
	cc -O1 -mavx2 -DBYTES=32 -c "$tree/vector.c" -o "$to/kernels.c.o"
	refuses isa "src/cpu/kernels.c: leat_f()"
	# Sixteen bytes stay in xmm registers; the encoding is AVX all the same.
	cc -O1 -mavx -DBYTES=16 -c "$tree/vector.c" -o "$to/kernels.c.o"
	refuses isa "src/cpu/kernels.c: leat_f()"
}

test_leaks() {
	fresh_tree
	passes leaks
	echo "see /ho""me/someone/leat" >"$tree/docs/notes.md"
	refuses leaks "notes.md:1: a path of one machine"
	echo "http://mirror.inter""nal/debian" >"$tree/docs/notes.md"
	refuses leaks "notes.md:1: a private host"
	echo "peer 192.1""68.0.7" >"$tree/docs/notes.md"
	refuses leaks "notes.md:1: a private address"
	echo "-----BEGIN PRIVA""TE KEY-----" >"$tree/docs/notes.md"
	refuses leaks "notes.md:1: a key"
	rm "$tree/docs/notes.md"
	: >"$tree/docs/--help"
	refuses leaks "docs/--help: a name that begins with '-'"
}

test_docs() {
	fresh_tree
	lines '/* leat.h - one. */' '#define LEAT_API' '/* What it does. */' 'LEAT_API int leat_one(void);' \
		>"$tree/include/leat/leat.h"
	if gate docs | grep -q "^skipped: "; then
		echo "skipped: no doxygen, the gate docs is not tried"
		return
	fi
	passes docs
	echo 'LEAT_API int leat_two(void);' >>"$tree/include/leat/leat.h"
	refuses docs "Member leat_two(void)"
}

test_status() {
	fresh_tree
	passes status
	sed -i '/^| N2/d' "$tree/docs/STATUS.md"
	refuses status "no row for N2"
	fresh_tree
	sed -i 's/not yet/soon/' "$tree/docs/STATUS.md"
	refuses status "state 'soon' is none of"
	fresh_tree
	sed -i 's/`make it`//' "$tree/docs/STATUS.md"
	refuses status "R1 is 'done' and names no command"
	fresh_tree
	echo '| R9 | made up | not yet | |' >>"$tree/docs/STATUS.md"
	refuses status "R9 is no requirement"
	fresh_tree
	rm -r "$work/repo/shared"
	gate status | grep -q "^skipped: " || refuses status "skipped without the requirements"
}

# counts WHAT REPORT WANTED: what tools/count_tests.py makes of one ctest report, and whether it is content.
counts() {
	lines '<testsuite>' "$2" '</testsuite>' >"$work/test-x.xml"
	: >"$work/results"
	said=$(python3 "$root/tools/count_tests.py" "$work/results" "$work/test-x.xml") && rc=0 || rc=$?
	if [ "$(printf '%s\n' "$said" | tail -n 1), exit $rc" = "$3" ]; then
		echo "ok: totals of $1"
	else
		echo "FAILED: totals of $1: wanted '$3', got '$said', exit $rc"
		failures=$((failures + 1))
	fi
}

# The totals that ./dev test ends with: a skipped case in a passing program is seen, and so is a program that dies.
test_totals() {
	ran='<testcase name="a" status="run"><system-out>'
	fell='<testcase name="a" status="fail"><failure/><system-out>'
	end='</system-out></testcase>'
	one='[       OK ] one'
	counts "a program with a skipped case" "$ran$one
[  SKIPPED ] two$end" "1 passed, 0 failed, 1 skipped, exit 0"
	counts "a program without cases" "${ran}all well$end" "1 passed, 0 failed, 0 skipped, exit 0"
	counts "a program with a failed case" "$fell$one
[  FAILED  ] two
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] two$end" "1 passed, 1 failed, 0 skipped, exit 1"
	counts "a program that died between cases" "$fell$one$end" "1 passed, 1 failed, 0 skipped, exit 1"
	counts "a skipped script" '<testcase name="a" status="notrun"><skipped/></testcase>' \
		"0 passed, 0 failed, 1 skipped, exit 1"
	counts "a program that was not built" '<testcase name="a" status="fail"><failure/></testcase>' \
		"0 passed, 1 failed, 0 skipped, exit 1"
}

for test in layers dup style symbols isa leaks docs status totals; do
	"test_$test"
done

# A gate without a test above would be a rule that nothing shows to work.
for script in "$root"/tools/check_*.py; do
	name=$(basename "$script" .py)
	grep -q "refuses ${name#check_} " "$0" || {
		echo "FAILED: $name has no test here"
		failures=$((failures + 1))
	}
done
[ $failures = 0 ]
