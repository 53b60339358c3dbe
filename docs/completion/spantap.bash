# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# bash completion for spantap; to be sourced, or kept as spantap among bash-completion's files.

# The command's own completion behind --, when bash-completion is there.
_spantap_command()
{
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -- ]] || continue
		if declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif ((COMP_CWORD == i + 1)); then
			mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		fi
		return 0
	done
	return 1
}

_spantap_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_spantap_outputs()
{
	local word=$1

	# Readline splits at ':': what is completed is the part behind it.
	case $word in
	file:* | folded:*)
		mapfile -t COMPREPLY < <(compgen -f -- "${word#*:}")
		;;
	json:*)
		_spantap_words pretty "${word#*:}"
		;;
	*)
		_spantap_words "tree json json:pretty file: otlp otlp: grpc grpc: zipkin zipkin: \
folded: none" "$word"
		[[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace
		;;
	esac
}

_spantap_argument()
{
	local option=$1 word=$2

	case $option in
	-p | --pid)
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$word")
		;;
	--comm)
		mapfile -t COMPREPLY < <(compgen -W "$(cat /proc/[0-9]*/comm 2>/dev/null |
			grep -v '[^A-Za-z0-9._-]' | sort -u)" -- "$word")
		;;
	--exe | --record)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	-e | --probe) _spantap_words "http fastcgi" "$word" ;;
	-o | --output) _spantap_outputs "$word" ;;
	-t | --min-duration) _spantap_words "1ms 10ms 100ms 1s" "$word" ;;
	--duration) _spantap_words "10s 1m 10m 1h" "$word" ;;
	--sample) _spantap_words "0.001 0.01 0.1 1" "$word" ;;
	--capture) _spantap_words "header:" "$word" && compopt -o nospace ;;
	--rung) _spantap_words "tracepoints fentry kprobe syscalls" "$word" ;;
	--ring-size) _spantap_words "512K 1M 2M 4M 8M" "$word" ;;
	--port | --filter | --max-conns) ;;
	*) return 1 ;;
	esac
	return 0
}

_spantap_options()
{
	case $1 in
	check) echo "-p --pid --rung --json -q --quiet -v --verbose --help" ;;
	list) echo "-p --pid --json -q --quiet -v --verbose --help" ;;
	replay)
		echo "-e --probe -o --output -t --min-duration --filter --sample --capture --link-candidates" \
			"--max-conns -q --quiet -v --verbose --help"
		;;
	*)
		echo "-p --pid -a --all --comm --exe --port --no-children -e --probe -o --output" \
			"-t --min-duration --filter --sample --capture --link-candidates --propagate --propagate-to --duration --record --rung" \
			"--ring-size --max-conns -q --quiet -v --verbose --help --version --"
		;;
	esac
}

_spantap()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" w

	COMPREPLY=()
	_spantap_command && return
	# "--name=value" and "otlp:URL" come in pieces: ':' and '=' are words of their own.
	if [[ $word == [=:] ]]; then
		word=""
	elif [[ $before == [=:] ]] && ((COMP_CWORD >= 2)); then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $before in
	file | folded) _spantap_outputs "file:$word" && return ;;
	json) _spantap_outputs "json:$word" && return ;;
	esac
	_spantap_argument "$before" "$word" && return
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $w in
		check | list | replay) command=$w ;;
		esac
	done
	if [[ $word == -* ]]; then
		_spantap_words "$(_spantap_options "$command")" "$word"
	elif [[ $command == replay ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ -z $command ]]; then
		_spantap_words "check list replay" "$word"
	fi
}

complete -F _spantap spantap
