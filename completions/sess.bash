# bash completion for sess(1)
# words begin
_sess_commands='-c -n -a -A -d -k -save -revive -check -mv -rm -pid -send -history -env -wait -v -h'
_sess_modifiers='-all -e -E -f -j -l -limit -q -r -stop'
# words end

# The names that `sess` lists.
_sess_names()
{
	command sess 2>/dev/null | awk -F '  +' 'NR > 1 { print $1 }'
}

_sess()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local i IFS=$'\n'

	COMPREPLY=()
	# Behind `-c NAME` and its like stands a command line of its own.
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-c | -n | -A)
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 2))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			fi
			return
			;;
		esac
	done
	case $prev in
	-a | -A | -d | -k | -save | -stop | -revive | -check | -mv | -rm | -pid | -send | -history | -env | -wait | -f | -l | -r)
		mapfile -t COMPREPLY < <(compgen -W "$(_sess_names)" -- "$cur")
		compopt -o filenames 2>/dev/null # quotes a name with a space
		[[ $prev == -save || $prev == -revive || $prev == -k || $prev == -env ]] || return
		;;
	-c | -n | -e | -limit)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < \
			<(IFS=' ' compgen -W "$_sess_commands $_sess_modifiers" -- "$cur")
	fi
}
complete -F _sess sess
