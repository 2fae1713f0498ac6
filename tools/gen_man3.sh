#!/bin/sh
# gen_man3.sh ROOT OUTPUT - libleat.3 in scdoc's form: docs/man/libleat.3.scd.in with @FUNCTIONS@ replaced by the
# declarations of the public headers under their sections, and @EXAMPLE@ by examples/generate.c.
set -eu
root=$1
output=$2
# In the order in which leat.h brings them.
headers=$root/include/leat/leat.h
for name in $(sed -n 's|^#include "\(leat/[a-z]*\.h\)"|\1|p' "$headers"); do
	headers="$headers
$root/include/$name"
done
awk -v headers="$headers" -v example="$root/examples/generate.c" '
	function functions(header,   line, title, begun, within) {
		title = header
		sub(/.*\//, "", title)
		title = "leat/" title
		while ((getline line < header) > 0) {
			if (line ~ /^\/\* ---- /) {
				title = line
				sub(/^\/\* ---- /, "", title)
				sub(/ -+ \*\/$/, "", title)
			}
			if (line ~ /^LEAT_API /) {
				sub(/^LEAT_API /, "", line)
				if (begun != title)
					printf "%s## %s\n\n```\n", begun == "" ? "" : "```\n\n", title
				begun = title
				within = 1
			}
			if (!within)
				continue
			# What stands behind the semicolon is a remark.
			if (line ~ /;/) {
				sub(/;.*/, ";", line)
				within = 0
			}
			sub(/^[ \t]+/, "    ", line)
			print line
		}
		close(header)
		if (begun != "")
			print "```\n"
	}
	/^@FUNCTIONS@$/ {
		n = split(headers, each, "\n")
		for (i = 1; i <= n; i++)
			functions(each[i])
		next
	}
	/^@EXAMPLE@$/ {
		while ((getline line < example) > 0) {
			gsub(/\t/, "    ", line)
			print line
		}
		next
	}
	{ print }' "$root/docs/man/libleat.3.scd.in" >"$output"
