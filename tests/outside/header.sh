#!/bin/sh
# <leat/leat.h> alone: compiles in C11, C17 and C++17 without a warning, asks for two standard headers only.
. "$(dirname "$0")/../cli/lib/common.sh"
strict="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only"
printf '#include <leat/leat.h>\nint f(void);\nint f(void) { return LEAT_OK; }\n' >"$tmp/alone.c"
cp "$tmp/alone.c" "$tmp/alone.cc"
# Every initialiser is used: a member that was added without it would be a warning here.
grep -ho 'define LEAT_[A-Z_]*_INIT' "$root"/include/leat/*.h | cut -d' ' -f2 >"$tmp/inits"
{
	cat "$tmp/alone.c"
	while read -r init; do
		name=$(echo "$init" | tr 'A-Z' 'a-z' | sed 's/_init$//')
		printf 'extern struct %s x_%s;\nstruct %s x_%s = %s;\n' "$name" "$name" "$name" "$name" "$init"
	done <"$tmp/inits"
} >"$tmp/inits.c"
cp "$tmp/inits.c" "$tmp/inits.cc"
checks=$((checks + 1))
[ "$(wc -l <"$tmp/inits")" -ge 4 ] || fail "found only these initialisers: $(cat "$tmp/inits")"
compilers=0
for try in "gcc c" "clang c" "g++ cc" "clang++ cc"; do
	# shellcheck disable=SC2086 # two words
	set -- $try
	command -v "$1" >/dev/null || {
		echo "skipped: no $1"
		continue
	}
	if [ "$2" = cc ]; then
		standards="c++17 c++20"
		more=
	else
		standards="c11 c17"
		more="-Wstrict-prototypes -Wmissing-prototypes"
	fi
	compilers=$((compilers + 1))
	for standard in $standards; do
		for file in alone inits; do
			# shellcheck disable=SC2086 # flags
			expect 0 "$1" -std=$standard $strict $more -I"$root/include" "$tmp/$file.$2"
		done
	done
done
# The header, the library and the program tell the same version.
version=$(sed -n 's/^#define LEAT_VERSION_[A-Z]* \([0-9]*\).*/\1/p' "$root/include/leat/leat.h" | paste -sd.)
expect 0 "$LEAT" --version
out "^leat $version\$"
checks=$((checks + 3))
[ $compilers -ge 1 ] || fail "no compiler"
others=$(grep -h '#include' "$root"/include/leat/*.h | grep -vE '<(stddef|stdint)\.h>|"leat/[a-z]*\.h"')
[ -z "$others" ] || fail "public headers include $others"
types=$(cat "$root"/include/leat/*.h | cc -fpreprocessed -dD -E -P - |
	grep -nE '\b(bool|long|short|unsigned char)\b|:[ ]*[0-9]+;' | grep -v 'const unsigned char \*')
[ -z "$types" ] || fail "a type without a fixed width: $types"
finish
