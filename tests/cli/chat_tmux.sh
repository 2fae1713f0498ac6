#!/bin/sh
# leat chat as a person meets it: keys into a terminal of tmux, the screen out. `chat_tmux.sh --record FILE` writes what
# the screen showed after each step.
record=
[ "${1-}" != --record ] || record=$2
. "$(dirname "$0")/lib/common.sh"
if ! command -v tmux >/dev/null 2>&1; then
	echo "skipped: no tmux"
	exit 77
fi
socket=leat-test-$$
end_tmux() {
	tmux -L "$socket" kill-server 2>/dev/null
	rm -rf "$tmp"
}
trap end_tmux EXIT
tm() { tmux -L "$socket" -f /dev/null "$@"; }

# screen: what is to be seen now, the lines that scrolled away too.
screen() { tm capture-pane -p -S - -t leat | sed -e 's/ *$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }

# sees PATTERN [COUNT]: waits until COUNT lines (1) of the screen match (grep -E).
sees() {
	checks=$((checks + 1))
	i=0
	while [ "$(screen | grep -Ec -- "$1")" -lt "${2:-1}" ]; do
		i=$((i + 1))
		if [ $i = 150 ]; then
			fail "the screen does not show '$1' ${2:-1} times:"
			screen | tail -n 30
			finish
		fi
		sleep 0.1
	done
}
keys() { tm send-keys -t leat "$@"; }
# line TEXT: types it and Enter.
line() {
	keys -l -- "$1"
	keys Enter
}
# step TEXT: a heading of the record, and the screen; then the screen is empty again.
step() {
	if [ -n "$record" ]; then
		printf '\n## %s\n\n```\n' "$1"
		screen | sed "s|$tmp|/tmp|"
		printf '```\n'
	fi >>"${record:-/dev/null}"
	keys C-l
	sleep 0.3
	tm clear-history -t leat
}

# start ARG...: leat chat in a fresh terminal; its exit status will be in $tmp/rc.
start() {
	rm -f "$tmp/rc"
	{
		echo "cd '$tmp' && export XDG_STATE_HOME='$tmp/state' HOME='$tmp' TERM=xterm LC_ALL=C.UTF-8"
		echo "$sanitizers"
		echo 'trap : INT' # Ctrl-C is for leat alone
		echo "'$LEAT' chat '$model' $*; echo \$? >'$tmp/rc'; sleep 60"
	} >"$tmp/start.sh"
	# one that lives on, since the server goes with its last session
	tm has-session -t keep 2>/dev/null || tm new-session -d -s keep "sleep 600"
	tm kill-session -t leat 2>/dev/null
	tm new-session -d -s leat -x 160 -y 40 "sh '$tmp/start.sh'" || {
		echo "skipped: tmux cannot open a terminal"
		exit 77
	}
}
# ended CODE
ended() {
	checks=$((checks + 1))
	i=0
	while [ ! -s "$tmp/rc" ] && [ $i -lt 100 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	[ "$(cat "$tmp/rc" 2>/dev/null)" = "$1" ] || {
		fail "exit $(cat "$tmp/rc" 2>/dev/null), wanted $1"
		screen | tail -n 20
	}
}
sanitizers=
# libedit never frees the names of the functions that it is given
[ -z "${ASAN_OPTIONS-}" ] || sanitizers="export ASAN_OPTIONS='$ASAN_OPTIONS:detect_leaks=0'"

[ -z "$record" ] || cat >"$record" <<'END'
# A conversation at the terminal

Written by `tests/cli/chat_tmux.sh --record FILE`, which types into a terminal and reads the screen. The demo models
know no instructions: they go on with what they are given.
END

for kind in rwkv7 qwen2; do
	find_model $kind
	[ -z "$record" ] || printf '\n# %s\n' "$(basename "$model")" >>"$record"
	rm -rf "$tmp/state" "$tmp/talk.json"
	start --seed 3 -n 16 --temp 1.5
	sees '^leat .* \| template none \| loaded'
	sees '^Enter a message'
	sees '^>'
	line 'Once upon a time'
	sees '^\[.* 0 cached .* 16 out .* seed 3\]$'
	answer=$(screen | sed -n '/^> Once/{n;p;}')
	line 'The dog'
	sees '16 out' 2
	step 'A question and another'

	line '/regen'
	sees '^\[0 in .*16 out'
	another=$(screen | sed -n '/^> .regen$/{n;p;}')
	line '/undo'
	sees 'the last turn is gone; 1 left'
	line '/regen'
	sees '^\[0 in .*16 out' 2
	step 'Another answer; back by one turn'
	checks=$((checks + 1))
	[ -n "$answer" ] && [ -n "$another" ] || fail "no answers on the screen: '$answer', '$another'"

	line "/save $tmp/talk.json"
	sees '^saved 1 turns'
	line "/save $tmp/talk.json"
	sees 'exists; /save! replaces it'
	line '/clear'
	sees 'the conversation is empty'
	line "/load $tmp/talk.json"
	sees '^loaded 1 turns'
	line 'A cat'
	sees '^\[.*[12][0-9] cached'
	step 'A conversation kept in a file'

	# the arrow brings the last line back, another the one before; Tab completes; a message of several lines
	keys Up
	sees '^> A cat$'
	keys Up Up
	sees '^> /clear$'
	keys C-u
	keys -l '/st'
	keys Tab
	sees '^> /stats'
	keys Enter
	sees 'turns +2'
	line '"""One day'
	sees '^\.\.\.'
	line 'a bird"""'
	sees '16 out'
	line 'two \'
	line 'lines'
	sees '16 out' 2
	step 'Arrows, Tab, and longer messages'

	# pasted lines are one message; what looks like a command in them is text
	printf 'One\n/exit\tday' >"$tmp/paste"
	tm load-buffer "$tmp/paste"
	tm paste-buffer -p -t leat
	sees '^\.\.\. /exit'
	keys Enter
	sees '16 out'
	step 'A paste'

	# Ctrl-C at the prompt drops the line; during an answer it stops the answer and keeps what was shown
	keys -l 'never sent'
	keys C-c
	sees 'Ctrl-C again'
	sleep 2.1
	line '/set n-predict -1'
	line '/set ignore-eos on'
	line '/clear'
	if [ $kind = rwkv7 ]; then
		line 'Once upon a time'
		sleep 0.5
		keys C-c
		sees '\| cancelled \|'
		line '/stats'
		sees 'turns +1'
		step 'An answer is interrupted'
	fi
	keys C-d
	ended 0

	# what was typed is there the next time, except what began with a space
	checks=$((checks + 1))
	[ "$(stat -c %a "$tmp/state/leat/chat_history")" = 600 ] || fail "mode of the history"
	[ "$(stat -c %a "$tmp/state/leat")" = 700 ] || fail "mode of the folder"
	start -q -n 4
	sees '^>'
	line ' secret'
	line '/stats'
	sees 'turns +1'
	keys C-d
	ended 0
	start -q --no-history
	sees '^>'
	line '/stats'
	sees 'turns +0'
	line '/exit'
	ended 0
	checks=$((checks + 1))
	grep -q secret "$tmp/state/leat/chat_history" && fail "a line with a space was kept"
	[ "$(grep -c '^/stats *$' "$tmp/state/leat/chat_history")" -ge 2 ] || fail "the history lacks a line"
done

# twice Ctrl-C leaves; Ctrl-R searches; leat run without a prompt is the same program
start -q
sees '^>'
keys C-r
keys -l 'upon'
sees 'Once upon'
keys C-c
sees 'Ctrl-C again'
keys C-c
ended 130
finish
