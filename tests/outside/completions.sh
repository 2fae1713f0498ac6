#!/bin/sh
# The completions of bash, zsh and fish: each loads in its shell and offers what the command takes, and nothing else.
. "$(dirname "$0")/../cli/lib/common.sh"
for shell in bash zsh fish; do
	expect 0 "$LEAT" completions $shell
	empty err
	cp "$tmp/out" "$tmp/leat.$shell"
done
expect 2 "$LEAT" completions
expect 2 "$LEAT" completions tcsh
err "none of bash, zsh, fish"
mkdir "$tmp/folder"
touch "$tmp/folder/some model.gguf"
cd "$tmp/folder" || exit 1
mkdir "$tmp/home"
HOME=$tmp/home
XDG_CONFIG_HOME=$tmp/home
export HOME XDG_CONFIG_HOME

# offers SHELL WORDS...: the candidates after these words into $tmp/out, one a line. The last word is the one begun.
offers() {
	"offers_$1" "$@"
}
offers_bash() {
	shift
	# shellcheck disable=SC2016 # for bash
	bash --norc -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leat; printf "%s\n" "${COMPREPLY[@]}"' \
		"$tmp/leat.bash" leat "$@" >"$tmp/out" 2>"$tmp/err"
}
offers_fish() {
	shift
	line=leat
	for word; do
		line="$line $word"
	done
	fish -c "source $tmp/leat.fish; complete -C '$line'" 2>"$tmp/err" | cut -f1 >"$tmp/out"
}
# zsh completes in a terminal only: zpty makes one. compadd, which takes the candidates, writes down what would match.
offers_zsh() {
	shift
	line=leat
	for word; do
		line="$line $word"
	done
	rm -f "$tmp/out" "$tmp/offered"
	: >"$tmp/out"
	cat >"$tmp/inside.zsh" <<'ZSH'
PS1=
unsetopt zle_bracketed_paste
autoload -Uz compinit
compinit -u -C -d $base/dump
source $base/leat.zsh
compadd() {
	local -a hits rest
	if [[ ${(M)@:#-[OAD]} ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A hits -D rest "$@"
	print -rl -- $hits >>$base/out
	builtin compadd "$@"
}
finished() { : >$base/offered }
comppostfuncs=(finished)
bindkey '^I' complete-word
ZSH
	cat >"$tmp/outside.zsh" <<'ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "base=$1; source $1/inside.zsh; : >$1/ready"
wait_for() {
	repeat 500; do
		[[ -e $1 ]] && return
		sleep 0.02
	done
}
wait_for $1/ready
zpty -w -n shell "$2"$'\t'
wait_for $1/offered
zpty -d shell
ZSH
	rm -f "$tmp/ready"
	TERM=xterm zsh -f "$tmp/outside.zsh" "$tmp" "$line" >"$tmp/raw" 2>&1
}
has() {
	checks=$((checks + 1))
	grep -qx -- "$1" "$tmp/out" || fail "$shell: $2 lacks '$1': $(head -c 300 "$tmp/out" | tr '\n' ' ')"
}
lacks() {
	checks=$((checks + 1))
	grep -qx -- "$1" "$tmp/out" && fail "$shell: $2 offers '$1'"
}

"$LEAT" --help | sed -n 's/^  \([a-z]\{3,\}\)  .*/\1/p' >"$tmp/commands"
tried=0
for shell in bash zsh fish; do
	command -v $shell >/dev/null || {
		echo "skipped: no $shell"
		continue
	}
	tried=$((tried + 1))
	expect 0 $shell -n "$tmp/leat.$shell"
	empty err
	offers $shell ""
	while read -r command; do
		has "$command" "the empty line"
	done <"$tmp/commands"
	offers $shell lo
	has logits "lo"
	lacks run "lo"
	offers $shell run --te
	has --temp "run --te"
	lacks --tensors "run --te"
	offers $shell inspect --te
	has --tensors "inspect --te"
	lacks --temp "inspect --te"
	offers $shell run --cache-type f
	has f16 "run --cache-type"
	has f32 "run --cache-type"
	lacks --file "run --cache-type"
	offers $shell bench -o ""
	has csv "bench -o"
	lacks f16 "bench -o"
	offers $shell run --opt st
	has steal=off "run --opt st"
	offers $shell chat --chat-template ""
	has phi3 "chat --chat-template"
	has auto "chat --chat-template"
	offers $shell completions ""
	has fish "completions"
	offers $shell help syn
	has synth "help syn"
done
# Every flag of every command, in the one shell that can be asked quickly.
if command -v bash >/dev/null; then
	shell=bash
	while read -r command; do
		offers bash "$command" --
		"$LEAT" "$command" --help | sed -n 's/^  \(-[a-zA-Z]*, \)\{0,1\}\(--[a-z-]*\).*/\2/p' |
			sort -u >"$tmp/flags"
		sort -u "$tmp/out" >"$tmp/offered"
		same "$tmp/flags" "$tmp/offered"
	done <"$tmp/commands"
	offers bash run some
	has 'some model.gguf' "a file with a space"
	offers bash run --temp 0
	lacks 'some model.gguf' "a number"
	offers bash run --cache-type = f3
	has f32 "--flag=value"
fi
[ $tried -gt 0 ] || { echo "skipped: none of the shells is here" && exit 77; }
finish
