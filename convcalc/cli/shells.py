"""The scripts that make each shell ask for completions, where click's do not serve."""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


class PrefixKeeping(ShellComplete):
    """A shell that replaces the word by the common beginning of all completions: completions that would delete
    typed text are dropped."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        found = super().get_completions(args, incomplete)
        plain = [item.value for item in found if item.type == "plain"]
        if incomplete.lower() in os.path.commonprefix(plain).lower():  # noqa: RUF071 - by characters
            return found
        return [item for item in found if item.type != "plain" or item.value.startswith(incomplete)]


class Bash(PrefixKeeping, BashComplete):
    """Adds no blank after `NAME=`."""

    source_template = r"""
%(complete_func)s() {
    local IFS=$'\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == *= ]] && compopt -o nospace
                ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2>/dev/null)
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Zsh(PrefixKeeping, ZshComplete):
    """Adds no blank after `NAME=`."""

    source_template = r"""#compdef %(prog_name)s

%(complete_func)s() {
    local -a described open plain response
    local type key descr
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")

    for type key descr in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $descr != _ ]]; then
                    described+=("$key:$descr")
                elif [[ $key == *= ]]; then
                    open+=("$key")
                else
                    plain+=("$key")
                fi
                ;;
        esac
    done

    [[ -n $described ]] && _describe -V unsorted described -U
    [[ -n $open ]] && compadd -U -S '' -V unsorted -a open
    [[ -n $plain ]] && compadd -U -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Fish(FishComplete):
    """Fish filters completions itself, also within a word; values may contain commas."""

    source_template = r"""
function %(complete_func)s
    set -l response (env COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
        %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)

    for completion in $response
        set -l metadata (string split -m 1 "," -- $completion)
        switch $metadata[1]
            case dir
                __fish_complete_directories $metadata[2]
            case file
                __fish_complete_path $metadata[2]
            case plain
                echo $metadata[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


def register() -> None:
    """Register the completion classes with click."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)
