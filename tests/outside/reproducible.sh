#!/bin/sh
# The same source gives the same bytes wherever it lies, and nothing in them names a folder of the build. Two copies of
# the tree, one of them with a second build folder outside; a few objects stand for all.
. "$(dirname "$0")/../cli/lib/common.sh"
command -v ninja >/dev/null || { echo "skipped: no ninja" && exit 77; }
unset CCACHE_BASEDIR
CCACHE_DISABLE=1
export CCACHE_DISABLE
objects=
for file in base/err base/json format/index api/model bench/klbase; do
	[ -f "$root/src/$file.c" ] && objects="$objects CMakeFiles/libleat.dir/src/$file.c.o"
done
for copy in one another/place; do
	mkdir -p "$tmp/$copy"
	for part in CMakeLists.txt README.md LICENSE cmake include src cli tools docs examples; do
		cp -r "$root/$part" "$tmp/$copy/"
	done
	expect 0 cmake -S "$tmp/$copy" -B "$tmp/$copy/build" -G Ninja -DLEAT_MAN=OFF
	# shellcheck disable=SC2086 # a list
	expect 0 ninja -C "$tmp/$copy/build" $objects
done
expect 0 cmake -S "$tmp/one" -B "$tmp/outside" -G Ninja -DLEAT_MAN=OFF
# shellcheck disable=SC2086 # a list
expect 0 ninja -C "$tmp/outside" $objects
for object in $objects; do
	same "$tmp/one/build/$object" "$tmp/another/place/build/$object"
	for folder in one/build another/place/build outside; do
		checks=$((checks + 1))
		[ -s "$tmp/$folder/$object" ] || fail "$folder/$object was not made"
		grep -qF "$tmp" "$tmp/$folder/$object" && fail "$folder/$object names $tmp"
	done
done
finish
