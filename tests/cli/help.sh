#!/bin/sh
# --help and --version: standard output, exit 0, every command and flag there.
. "$(dirname "$0")/lib/common.sh"

expect 0 "$LEAT" --help
empty err
commands=$(sed -n 's/^  \([a-z]\{3,\}\)  .*/\1/p' "$tmp/out")
for command in run inspect tokenize logits embed bench synth doctor completions; do
	echo "$commands" | grep -qx "$command" || fail "leat --help lacks $command"
done
for command in $commands; do
	expect 0 "$LEAT" "$command" --help
	empty err
	out "^usage: leat $command"
	out '-h, --help'
	cp "$tmp/out" "$tmp/help"
	expect 0 "$LEAT" help "$command"
	same "$tmp/out" "$tmp/help"
	checks=$((checks + 1))
	awk 'length > 130 { bad = 1 } END { exit bad }' "$tmp/help" || fail "$command --help has long lines"
	# Every flag that help names is one that the parser knows: without its value it must not be called unknown.
	for flag in $(sed -n 's/^  \(-[a-zA-Z]*, \)\{0,1\}\(--[a-z-]*\).*/\2/p' "$tmp/help"); do
		checks=$((checks + 1))
		"$LEAT" "$command" "$flag" --help </dev/null 2>&1 | grep -q 'unknown option' &&
			fail "$command $flag is unknown"
	done
done
expect 0 "$LEAT" info --help
out 'usage: leat inspect'
expect 0 "$LEAT" --version
out '^leat [0-9]+\.[0-9]+\.[0-9]+'
out '^build: .*, commit ([0-9a-f]{12}|unknown)$'
out '^architectures: .*qwen2.*rwkv7'
expect 0 "$LEAT" -V
expect 0 "$LEAT" run -V
expect 2 "$LEAT" help nonsense
finish
