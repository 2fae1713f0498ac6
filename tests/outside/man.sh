#!/bin/sh
# Manual pages: one for each command and one for the library, sound by mandoc's lint, rendered whole.
. "$(dirname "$0")/../cli/lib/common.sh"
[ -f "$build/man/leat.1" ] || { echo "skipped: this build made no manual pages (scdoc is missing)" && exit 77; }
# The page as text on long lines, without the backspaces that make it bold.
plain() { mandoc -T utf8 -O width=900 "$1" | sed 's/.\x08//g'; }
"$LEAT" --help | sed -n 's/^  \([a-z]\{3,\}\)  .*/\1/p' >"$tmp/commands"
checks=$((checks + 1))
[ -s "$tmp/commands" ] || fail "leat --help names no command"
while read -r command; do
	page=$build/man/leat-$command.1
	checks=$((checks + 1))
	[ -f "$page" ] || fail "no page for leat $command"
	# What --help says has its place on the page: every option, every example.
	"$LEAT" "$command" --help >"$tmp/help"
	checks=$((checks + 1))
	grep -q '^Examples:' "$tmp/help" || fail "leat $command --help has no examples"
	command -v mandoc >/dev/null || continue
	plain "$page" >"$tmp/page"
	for section in NAME SYNOPSIS OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		checks=$((checks + 1))
		grep -q "^$section" "$tmp/page" || fail "leat-$command.1 has no section $section"
	done
	for flag in $(sed -n 's/^  \(-[a-zA-Z]*, \)\{0,1\}\(--[a-z-]*\).*/\2/p' "$tmp/help"); do
		checks=$((checks + 1))
		grep -Eq -- "^ +(-[a-zA-Z]+, )?$flag( |\$)" "$tmp/page" || fail "leat-$command.1 lacks $flag"
	done
	sed -n '/^Examples:/,/^$/s/^  \(leat .*\)/\1/p' "$tmp/help" >"$tmp/examples"
	while read -r example; do
		checks=$((checks + 1))
		grep -qF -- "$example" "$tmp/page" || fail "leat-$command.1 lacks the example $example"
	done <"$tmp/examples"
	checks=$((checks + 1))
	plain "$build/man/leat.1" | grep -q "leat-$command(1)" || fail "leat.1 does not name leat-$command(1)"
done <"$tmp/commands"
# Every public function is in libleat.3.
sed 's|/\*.*\*/||' "$root"/include/leat/*.h | tr '\n' ' ' | grep -o 'LEAT_API [^;(]*(' | grep -o 'leat_[a-z_0-9]*(' |
	tr -d '(' >"$tmp/public"
while read -r function; do
	checks=$((checks + 1))
	grep -q "$function" "$build/man/libleat.3.scd" || fail "libleat.3 lacks $function"
done <"$tmp/public"
if ! command -v mandoc >/dev/null; then
	echo "skipped: no mandoc, pages are not linted"
	finish
fi
for page in "$build"/man/*.[13]; do
	# scdoc writes a paragraph macro before every block; that is its habit and does no harm.
	mandoc -T lint -W warning "$page" | grep -v 'skipping paragraph macro' >"$tmp/lint"
	empty lint
	if command -v man >/dev/null; then
		expect 0 env LC_ALL=C.UTF-8 MANPAGER=cat PAGER=cat MANWIDTH=80 man -l "$page"
		out 'SEE ALSO'
		empty err
	fi
done
finish
