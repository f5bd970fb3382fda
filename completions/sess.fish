# fish completion for sess(1)

function __sess_names
    command sess -q 2>/dev/null
end

# words begin
complete -c sess -f
complete -c sess -s c -r -d 'create a session and attach'
complete -c sess -s n -r -d 'create a session, leave it detached'
complete -c sess -s a -r -a '(__sess_names)' -d 'attach to a session'
complete -c sess -s A -r -a '(__sess_names)' -d 'attach, else revive, else create'
complete -c sess -s d -r -a '(__sess_names)' -d 'detach its terminals'
complete -c sess -s k -r -a '(__sess_names)' -d 'end a session'
complete -c sess -o save -r -a '(__sess_names)' -d 'save a session to disk'
complete -c sess -o stop -r -a '(__sess_names)' -d 'with -save: end it then'
complete -c sess -o with-files -d 'with -save: with all open files'
complete -c sess -o force -d 'with -revive: though files have changed'
complete -c sess -o revive -r -a '(__sess_names)' -d 'bring a saved session back'
complete -c sess -o check -r -a '(__sess_names)' -d 'say what a save would meet'
complete -c sess -o inspect -r -F -a '(__sess_names)' -d 'say what is in a snapshot'
complete -c sess -o mv -r -a '(__sess_names)' -d 'give it another name'
complete -c sess -o rm -r -a '(__sess_names)' -d 'remove snapshots'
complete -c sess -o pid -r -a '(__sess_names)' -d 'print its first process'
complete -c sess -o send -r -a '(__sess_names)' -d 'type standard input into it'
complete -c sess -o history -r -a '(__sess_names)' -d 'print its scrollback and screen'
complete -c sess -o env -r -a '(__sess_names)' -d 'print what the latest login offers'
complete -c sess -o wait -r -a '(__sess_names)' -d 'wait for its end, exit with its status'
complete -c sess -o outside -x -a '(__fish_complete_subcommand)' -d 'in a revived session: run outside'
complete -c sess -o all -d '-save and -revive: every session'
complete -c sess -o limit -x -d '-save -all: seconds for all of them'
complete -c sess -s e -x -d 'detach key, as ^\\'
complete -c sess -s E -d 'no detach key'
complete -c sess -o everyone -d 'root: of every user'
complete -c sess -s f -d 'with -k: also what has left the session'
complete -c sess -s i -r -F -d '-revive: the stream to read'
complete -c sess -o relaunch -d '-revive: start again what cannot be'
complete -c sess -s o -r -F -d '-save: write a stream too'
complete -c sess -s j -d 'the list, or -env, as JSON'
complete -c sess -s l -d 'its size follows the other terminals'
complete -c sess -s r -d 'read only'
complete -c sess -o user -x -a '(__fish_complete_users)' -d 'root: act as'
complete -c sess -s q -d 'say nothing but errors'
complete -c sess -s v -d 'version'
complete -c sess -s h -d 'summary of the command line'
# words end
