#!/bin/sh
# llama_cpp.sh - gets llama.cpp's released CPU libraries and builds its bench programs against them, outside the tree.
#
# The libraries come from the npm package @node-llama-cpp/linux-x64 (one CPU library per instruction set; the best one
# that the machine can run is loaded), the headers and the bench sources of the same release from the git bundle in the
# npm package node-llama-cpp. A build of one's own is no substitute: it has one instruction set, and no AMX on GCC 12.
set -eu

# Version of both packages. Another one can be asked for; its archives are then not checked against known sums.
pinned_version=3.22.1
pinned_libs_sha256=0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0
pinned_source_sha256=a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f
version=${LEAT_PEER_VERSION:-$pinned_version}
# What an x86 server of the last ten years can load, the AMX variant included.
pack_variants="sapphirerapids zen4 icelake skylakex haswell"

usage() {
	cat <<'END_USAGE'
usage: llama_cpp.sh [--cache DIR] [COMMAND]

  build                 (default) get, build; prints the folder of the peer
  path                  prints that folder, builds nothing
  pack DIR [VARIANT...] copies the peer into DIR, which git must ignore, to carry it to another machine;
                        VARIANT names CPU libraries to take along: sapphirerapids zen4 icelake skylakex haswell
                        (this is also how a variant is left out on purpose: llama.cpp loads the best one it finds)

--cache DIR defaults to ${XDG_CACHE_HOME:-~/.cache}/leat-peers. LEAT_PEER_VERSION asks for another package version.
Needs npm, git, g++ and tar; npm is not used when the two archives already lie in the cache folder.
END_USAGE
}

say() { printf '%s\n' "llama_cpp.sh: $*" >&2; }
die() {
	say "$*"
	exit 1
}

need_tool() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing (Debian package: $2)"; }

# fetch PACKAGE ARCHIVE SHA256: leaves ARCHIVE in the cache folder.
fetch() {
	if [ ! -f "$home/$2" ]; then
		need_tool npm npm
		say "npm pack $1@$version"
		(cd "$home" && npm pack --silent --ignore-scripts "$1@$version" </dev/null >/dev/null) ||
			die "npm pack $1@$version failed"
	fi
	[ -f "$home/$2" ] || die "npm pack $1@$version left no $2"
	[ "$version" = "$pinned_version" ] || return 0
	found=$(sha256sum <"$home/$2")
	[ "${found%% *}" = "$3" ] || die "$home/$2: sha256 is ${found%% *}, wanted $3"
}

# unpack ARCHIVE FOLDER
unpack() {
	rm -rf "${home:?}/$2"
	mkdir "$home/$2"
	tar -xzf "$home/$1" -C "$home/$2" --strip-components=1
}

json_release() { sed -n 's/.*"release" *: *"\([^"]*\)".*/\1/p' "$1" | head -n 1; }

# The headers have to be those of the libraries: both packages name the release they hold.
find_release() {
	release=$(json_release "$libs/_nlcBuildMetadata.json")
	source_release=$(json_release "$home/package/llama/binariesGithubRelease.json")
	[ -n "$release" ] || die "the libraries do not name their llama.cpp release"
	[ "$release" = "$source_release" ] || die "libraries are of llama.cpp $release, sources of '$source_release'"
}

# compile PROGRAM SOURCE_FOLDER SOURCE: flags as in a Release build of llama.cpp itself.
# shellcheck disable=SC2016 # $ORIGIN is for the dynamic linker
compile() {
	say "compiling $1"
	(cd "$home/llama.cpp" && g++ -std=c++17 -O3 -DNDEBUG -Icommon -Iinclude -Iggml/include -Ivendor \
		"tools/$2/$3" "tools/$2/main.cpp" "$libs"/libllama-common*.so "$libs"/libllama.*so "$libs"/libggml.*so \
		"$libs"/libggml-base*.so -lpthread -Wl,-rpath,'$ORIGIN' -s -o "$new/$1") || die "cannot compile $1"
}

write_about() {
	cat >"$1/PEER" <<END_ABOUT
release=$release
package_version=$version
programs_built_with=$(g++ --version | head -n 1)
END_ABOUT
}

build() {
	[ -f "$peer/PEER" ] && return 0
	need_tool git git
	need_tool g++ g++
	mkdir -p "$home"
	fetch @node-llama-cpp/linux-x64 "node-llama-cpp-linux-x64-$version.tgz" "$pinned_libs_sha256"
	fetch node-llama-cpp "node-llama-cpp-$version.tgz" "$pinned_source_sha256"
	unpack "node-llama-cpp-linux-x64-$version.tgz" libs
	unpack "node-llama-cpp-$version.tgz" package
	libs=$home/libs/bins/linux-x64
	find_release
	rm -rf "$home/llama.cpp"
	git -c advice.detachedHead=false clone -q "$home/package/llama/gitRelease.bundle" "$home/llama.cpp"
	new=$home/peer.new
	rm -rf "$new"
	mkdir "$new"
	compile llama-bench llama-bench llama-bench.cpp
	compile llama-batched-bench batched-bench batched-bench.cpp
	cp "$libs"/*.so "$new/"
	cp "$home/llama.cpp/LICENSE" "$new/"
	write_about "$new"
	rm -rf "$peer"
	mv "$new" "$peer"
	rm -rf "$home/package" "$home/libs" "$home/llama.cpp"
}

# must_be_ignored DIR: nothing of the peer may be committed, so inside a work tree git has to ignore the folder.
must_be_ignored() {
	git -C "$1" rev-parse --is-inside-work-tree >/dev/null 2>&1 || return 0
	git -C "$1" check-ignore -q . && return 0
	rmdir "$1" 2>/dev/null || true
	die "$1 is inside a git work tree and not ignored; choose another folder"
}

pack() {
	target=$1
	shift
	# shellcheck disable=SC2086 # a list of names
	[ $# -gt 0 ] || set -- $pack_variants
	for variant; do
		[ -f "$peer/libggml-cpu-$variant.so" ] || die "there is no CPU variant '$variant' in $peer"
	done
	if [ -d "$target" ] && [ ! -f "$target/PEER" ] && [ -n "$(ls -A "$target")" ]; then
		die "$target is not empty and holds no peer"
	fi
	mkdir -p "$target"
	target=$(cd "$target" && pwd)
	must_be_ignored "$target"
	rm -f "$target"/*.so
	for file in "$peer"/*; do
		case ${file##*/} in
		libggml-cpu-*) ;;
		*) cp "$file" "$target/" ;;
		esac
	done
	for variant; do
		cp "$peer/libggml-cpu-$variant.so" "$target/"
	done
	size=$(tar -cz -C "$target" . | wc -c)
	say "packed $target: $size bytes as tar.gz, variants: $*"
}

main() {
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/leat-peers
	while [ $# -gt 0 ]; do
		case $1 in
		--cache)
			[ $# -ge 2 ] || die "--cache needs a folder"
			cache=$2
			shift 2
			;;
		--cache=*)
			cache=${1#--cache=}
			shift
			;;
		-h | --help | help)
			usage
			exit 0
			;;
		*) break ;;
		esac
	done
	command=${1:-build}
	[ $# -eq 0 ] || shift
	mkdir -p "$cache"
	home=$(cd "$cache" && pwd)/node-llama-cpp-$version
	must_be_ignored "$cache"
	peer=$home/peer
	case $command in
	build | path)
		[ $# -eq 0 ] || die "$command takes no arguments"
		[ "$command" = path ] || build
		;;
	pack)
		[ $# -ge 1 ] || die "pack needs a folder"
		build
		pack "$@"
		peer=$target
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
	[ "$command" = path ] || say "$(tr '\n' ' ' <"$peer/PEER")"
	printf '%s\n' "$peer"
}

main "$@"
