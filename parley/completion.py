"""Shell completion of the command, made from its own parser: commands, their commands, and options."""

import argparse
from collections.abc import Iterator

SHELLS = ("bash", "zsh")

_BASH = """_parley() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" path="" i words=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    case " {commands} " in *" $path${{COMP_WORDS[i]}} "*) path="$path${{COMP_WORDS[i]}}/" ;; esac
  done
  case "$path" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _parley parley"""


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What `eval "$(parley completion bash)"` evaluates; zsh understands it through bashcompinit."""
    words = dict(_words(parser, ""))
    cases = "\n".join(f"    '{path}') words='{' '.join(found)}' ;;" for path, found in words.items())
    script = _BASH.format(commands=" ".join(path.rstrip("/") for path in words if path), cases=cases)
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"


def _words(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """After each path of commands ("exports/build/"), what may follow."""
    found: list[str] = []
    for action in parser._actions:
        found += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            found += action.choices
            for name, command in action.choices.items():
                yield from _words(command, f"{path}{name}/")
        elif action.choices and not action.option_strings:
            found += map(str, action.choices)
    yield path, found
