# bash completion for sess(1)
# words begin
_sess_commands='-c -n -a -A -d -k -save -revive -check -inspect -mv -rm -pid -send -history -env -wait -outside -v -h'
_sess_modifiers='-all -e -E -everyone -f -force -i -j -l -limit -o -q -r -relaunch -stop -user -with-files'
# words end

# The names that begin with $1, quoted. Not by compgen -W, which expands its
# words: a name like $(cmd) would be run; nor as file names, for a directory of
# that name would get a slash.
_sess_names()
{
	local name quoted

	while IFS= read -r name; do
		printf -v quoted %q "$name"
		[[ $name == "$1"* || $quoted == "$1"* ]] && COMPREPLY+=("$quoted")
	done < <(command sess -q 2>/dev/null)
}

_sess()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local i IFS=$'\n'

	COMPREPLY=()
	# Behind `-c NAME` and its like stands a command line of its own.
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-outside)
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			fi
			return
			;;
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
	-a | -A | -d | -k | -save | -stop | -revive | -check | -inspect | -mv | -rm | -pid | -send | -history | -env | -wait | -f | -l | -r)
		_sess_names "$cur"
		[[ $prev == -save || $prev == -revive || $prev == -k || $prev == -env ]] || return
		;;
	-i | -o)
		compopt -o default
		return
		;;
	-outside)
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		return
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
