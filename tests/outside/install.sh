#!/bin/sh
# The installed tree: what is in it, that it may be moved, and that programs of others build against it alone, with
# pkg-config and with CMake, shared and static.
. "$(dirname "$0")/../cli/lib/common.sh"
[ -f "$build/libleat.so" ] || { echo "skipped: this build has no libleat.so" && exit 77; }
find_model rwkv7
cc=${CC:-cc}
# Ninja is among what ./dev installs, make is not.
export CMAKE_GENERATOR=Ninja

expect 0 env DESTDIR="$tmp/stage" cmake --install "$build" --prefix /opt/first
for file in bin/leat include/leat/leat.h include/leat/status.h lib/libleat.a lib/libleat.so lib/libleat.so.0 \
	lib/pkgconfig/leat.pc lib/cmake/leat/leatConfig.cmake lib/cmake/leat/leatConfigVersion.cmake \
	share/doc/leat/LICENSE share/doc/leat/examples/generate.c share/bash-completion/completions/leat \
	share/zsh/site-functions/_leat share/fish/vendor_completions.d/leat.fish; do
	checks=$((checks + 1))
	[ -e "$tmp/stage/opt/first/$file" ] || fail "$file was not installed"
done
if [ -f "$build/man/leat.1" ]; then
	for file in man1/leat.1 man1/leat-run.1 man1/leat-completions.1 man3/libleat.3; do
		checks=$((checks + 1))
		[ -s "$tmp/stage/opt/first/share/man/$file" ] || fail "$file was not installed"
	done
fi
# Moved: nothing in it may know where it was put, or where it was built.
mv "$tmp/stage/opt/first" "$tmp/moved"
leat=$tmp/moved
checks=$((checks + 2))
grep -rlF /opt/first "$leat" && fail "an installed file names the first prefix"
grep -rlF -e "$build" -e "$root" "$leat" && fail "an installed file names a folder of the build"
for object in bin/leat lib/libleat.so.0; do
	readelf -d "$leat/$object" >"$tmp/dynamic"
	checks=$((checks + 1))
	grep -E 'RPATH|RUNPATH' "$tmp/dynamic" && fail "$object has a library path of its own"
done
checks=$((checks + 2))
grep -q 'SONAME.*\[libleat\.so\.0\]' "$tmp/dynamic" || fail "SONAME is not libleat.so.0"
# What the library shows is what its header declares.
sed -e 's|/\*.*\*/||' "$leat"/include/leat/*.h | tr '\n' ' ' | grep -o 'LEAT_API [^;(]*(' |
	grep -o 'leat_[a-z_0-9]*(' | tr -d '(' | sort -u >"$tmp/declared"
nm -D --defined-only "$leat/lib/libleat.so.0" | sed -n 's/.* [A-Z] \(leat_[a-z_0-9]*\)@@LEAT_0$/\1/p' |
	sort -u >"$tmp/shown"
cmp -s "$tmp/declared" "$tmp/shown" || fail "header and library differ: $(diff "$tmp/declared" "$tmp/shown")"
expect 0 "$leat/bin/leat" --version
expect 0 "$leat/bin/leat" run "$model" -p "Once upon a time" -n 8 --temp 0 -q
cp "$tmp/out" "$tmp/wanted"

# ---- a program of somebody else: the example, from its installed place ----
mkdir "$tmp/other"
cp "$leat/share/doc/leat/examples/generate.c" "$tmp/other/"
# Greedy, so that its words can be compared with leat run's.
sed 's/params\.n_tokens = n_prompt;/&params.temperature = 0;/' "$tmp/other/generate.c" >"$tmp/other/greedy.c"
cd "$tmp/other" || exit 1
speaks() {
	what=$1
	shift
	expect 0 "$@" "$model" "Once upon a time" 8
	checks=$((checks + 1))
	[ "$(cat "$tmp/out")" = "$(cat "$tmp/wanted")" ] ||
		fail "$what wrote '$(cat "$tmp/out")', leat run '$(cat "$tmp/wanted")'"
}
PKG_CONFIG_PATH=$leat/lib/pkgconfig
export PKG_CONFIG_PATH
expect 0 pkg-config --modversion leat
out '^[0-9]+\.[0-9]+\.[0-9]+$'
checks=$((checks + 1))
pkg-config --libs leat | grep -q pcre && fail "a shared link names the library's own libraries"
flags=$(pkg-config --cflags --libs leat)
# shellcheck disable=SC2086 # flags
expect 0 "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror greedy.c $flags -o shared
expect 127 env -u LD_LIBRARY_PATH ./shared
err 'libleat\.so\.0'
speaks "pkg-config, shared" env LD_LIBRARY_PATH="$leat/lib" ./shared
flags=$(pkg-config --static --cflags --libs leat)
# shellcheck disable=SC2086 # flags
expect 0 "$cc" -std=c11 -static greedy.c $flags -o static
speaks "pkg-config, static" ./static
archive=$(echo "$flags" | sed 's/-lleat/-l:libleat.a/')
# shellcheck disable=SC2086 # flags
expect 0 "$cc" -std=c11 greedy.c $archive -o archive
speaks "pkg-config, archive" ./archive

# ---- the other examples, as their first lines say ----
flags=$(pkg-config --cflags --libs leat)
for source in "$leat"/share/doc/leat/examples/*.c; do
	name=$(basename "$source" .c)
	# shellcheck disable=SC2086 # flags
	expect 0 "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror "$source" $flags -o "$name"
	checks=$((checks + 1))
	grep -q "^ \*   ./$name model.gguf" "$source" || fail "$name.c does not say how it is used"
done
expect 0 env LD_LIBRARY_PATH="$leat/lib" ./load "$model" 64
out 'an engine for 64 tokens'

# ---- CMake ----
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(other C)
find_package(leat 0.1 REQUIRED COMPONENTS shared static)
add_executable(by_cmake greedy.c)
target_link_libraries(by_cmake PRIVATE leat::leat)
add_executable(by_cmake_static greedy.c)
target_link_libraries(by_cmake_static PRIVATE leat::leat_static)
CMAKE
expect 0 cmake -S . -B b -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$leat"
expect 0 cmake --build b
speaks "CMake, shared" ./b/by_cmake
speaks "CMake, static" ./b/by_cmake_static
checks=$((checks + 3))
readelf -d b/by_cmake | grep -q 'NEEDED.*libleat\.so\.0' || fail "leat::leat is not the shared library"
readelf -d b/by_cmake_static | grep -q 'NEEDED.*libleat' && fail "leat::leat_static is the shared library"
grep -E 'Wconversion|Werror|_GNU_SOURCE' -r b --include='flags.make' --include='build.ninja' &&
	fail "flags of leat's own build reach others"
sed -i 's/leat 0.1 REQUIRED/leat 99.0 REQUIRED/' CMakeLists.txt
expect 1 cmake -S . -B c -DCMAKE_PREFIX_PATH="$leat"
err 'version'
cd / || exit 1

# ---- the archive alone, and libraries in lib/somewhere ----
rm -f "$leat"/lib/libleat.so* "$leat"/lib/cmake/leat/leatSharedTargets*
sed -i -e 's/leat 99.0 REQUIRED COMPONENTS shared static/leat 0.1 REQUIRED/' "$tmp/other/CMakeLists.txt"
expect 0 cmake -S "$tmp/other" -B "$tmp/other/d" -DCMAKE_PREFIX_PATH="$leat"
expect 0 cmake --build "$tmp/other/d"
speaks "CMake, archive alone" "$tmp/other/d/by_cmake"
finish
