#!/bin/sh
# fresh-debian.sh FOLDER [COMMAND...] - proves that ./dev works as the first command on a bare Debian 12.
#
# Makes a root with debootstrap (minbase and git) in FOLDER/root, clones this repository into it (committed state only),
# copies ../shared/oracle beside the clone if it is here, and runs in the root, from nothing each time:
#   ./dev demo; ./dev test              or the commands given, each one word or quoted: 'dev test --long'
# Prints the minutes of each. Packages come from where this machine's own apt gets them. Needs root and 3 GiB in FOLDER.
set -eu
[ $# -ge 1 ] || {
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
[ "$(id -u)" = 0 ] || {
	echo "fresh-debian.sh: chroot needs root" >&2
	exit 1
}
repo=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- "dev demo" "dev test"
base=$folder/base
bare=$folder/root
suite=bookworm

command -v debootstrap >/dev/null || {
	echo "fresh-debian.sh: apt-get install debootstrap first" >&2
	exit 1
}

# The first archive of $suite among this machine's sources, in either of apt's two forms.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n "s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) $suite .*/\2/p"
	cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
		awk -v suite="$suite" 'BEGIN { RS = ""; FS = "\n" } {
			uri = found = ""
			for (i = 1; i <= NF; i++) {
				n = split($i, word, " ")
				if (word[1] == "URIs:") uri = word[2]
				for (j = 2; j <= n; j++) if (word[1] == "Suites:" && word[j] == suite) found = 1
			}
			if (uri && found) print uri
		}'
}

unmount() {
	for point in proc dev/shm dev/pts dev sys; do
		! mountpoint -q "$bare/$point" || umount -l "$bare/$point"
	done
}

# A copy of the bare base, so that the second run starts from nothing too, without another download.
fresh_root() {
	unmount
	rm -rf "$bare"
	cp -a "$base" "$bare"
	mount -t proc proc "$bare/proc"
	mount -t sysfs -o ro sys "$bare/sys"
	mount --bind /dev "$bare/dev"
	mount -t tmpfs shm "$bare/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$bare/dev/pts"
	mkdir -p "$bare/src"
	git clone -q --no-hardlinks "file://$repo" "$bare/src/leat"
	if [ -d "$repo/../shared/oracle" ]; then
		mkdir -p "$bare/src/shared"
		cp -r "$repo/../shared/oracle" "$bare/src/shared/"
	fi
}

make_base() {
	archive=$(mirror | head -n 1)
	[ -n "$archive" ] || {
		echo "fresh-debian.sh: no $suite archive in /etc/apt" >&2
		exit 1
	}
	with=git
	case $archive in https:*) with=git,ca-certificates ;; esac
	debootstrap --variant=minbase --include=$with "$suite" "$base" "$archive" >"$folder/debootstrap.log" 2>&1 || {
		tail -n 20 "$folder/debootstrap.log" >&2
		rm -rf "$base"
		exit 1
	}
	# The same Debian archives and proxies as here; no lists yet, as after an installation.
	rm -rf "$base"/etc/apt/sources.list "$base"/etc/apt/sources.list.d "$base"/var/lib/apt/lists/*
	mkdir -p "$base/etc/apt/sources.list.d"
	for source in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		if grep -qsF "$archive" "$source"; then
			cp "$source" "$base${source}"
		fi
	done
	for part in apt.conf apt.conf.d auth.conf.d keyrings trusted.gpg trusted.gpg.d; do
		[ ! -e "/etc/apt/$part" ] || cp -a "/etc/apt/$part" "$base/etc/apt/"
	done
	rm -f "$base"/var/cache/apt/archives/*.deb
	cp /etc/resolv.conf /etc/hosts "$base/etc/"
}

say_minutes() {
	tenths=$(($1 / 6))
	echo "$((tenths / 10)).$((tenths % 10)) min"
}

trap unmount EXIT
trap 'exit 130' INT TERM
[ -d "$base" ] || make_base
failed=0
summary=
for command; do
	fresh_root
	echo "=== $command, in a bare Debian $(cat "$bare/etc/debian_version")"
	start=$(date +%s)
	word=ok
	# An environment as after logging in, and no terminal; proxies alone are handed on.
	# shellcheck disable=SC2016 # expanded in the root
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 CI=true \
		${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
		chroot "$bare" sh -c 'cd /src/leat && exec ./$0' "$command" </dev/null || word=FAILED failed=1
	summary="$summary$(say_minutes $(($(date +%s) - start)))  $word  ./$command
"
done
printf '%s' "$summary"
exit $failed
