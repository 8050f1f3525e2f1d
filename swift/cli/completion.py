"""`swift completion bash|zsh|fish`: a script made from the rows, so that pressing Tab starts no Python."""

from __future__ import annotations

from collections.abc import Mapping

from swift.cli.commands import COMMANDS
from swift.cli.parser import Parsed
from swift.llm.arguments.fields import Spec, specs
from swift.utils.lazy import load

__all__ = ["main", "script"]


def main(parsed: Parsed) -> int:
    """Print the script for the shell that was named."""
    print(script(parsed.args.shell), end="")
    return 0


def script(shell: str) -> str:
    """Return the completion script for bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _options() -> dict[str, Mapping[str, Spec]]:
    return {name: specs(load(row.arguments)) for name, row in COMMANDS.items() if row.arguments}


def _values(spec: Spec) -> list[str]:
    """Values of an option that are worth completing."""
    if spec.kind == "bool":
        return ["true", "false"]
    found = [str(choice) for choice in (spec.choices or spec.presets) if "<N>" not in str(choice)]
    return found


def _first_words(known: Mapping[str, Spec]) -> list[str]:
    """What may stand right after the command."""
    return next((_values(spec) for spec in known.values() if spec.positional), [])


def _bash() -> str:
    lines = [
        "# bash completion for swift; load it with: source <(swift completion bash)",
        "_swift() {",
        '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
        '    local command="${COMP_WORDS[1]//_/-}" words=""',
        '    [[ "$command" == plan && $COMP_CWORD -gt 2 ]] && command="${COMP_WORDS[2]//_/-}"',
        "    COMPREPLY=()",
        "    if [[ $COMP_CWORD -eq 1 || ( $COMP_CWORD -eq 2 && $previous == plan ) ]]; then",
        f'        COMPREPLY=($(compgen -W "{" ".join(COMMANDS)} --help --version" -- "$current")); return',
        "    fi",
        '    case "$command $previous" in',
    ]
    for command, known in _options().items():
        by_values: dict[str, list[str]] = {}
        for spec in known.values():
            values = _values(spec)
            if values and not spec.positional:
                by_values.setdefault(" ".join(values), []).append(f'"{command} --{spec.name}"')
        if _first_words(known):
            by_values.setdefault(" ".join(_first_words(known)), []).append(f'"{command} {command}"')
        lines += [f'        {"|".join(keys)}) words="{values}" ;;' for values, keys in by_values.items()]
    lines += ["    esac", '    if [[ -z "$words" && "$current" == -* ]]; then', '        case "$command" in']
    for command, known in _options().items():
        names = " ".join(f"--{name}" for name, spec in known.items() if not spec.positional)
        lines.append(f'            {command}) words="{names} --help" ;;')
    lines += [
        "        esac",
        "    fi",
        '    if [[ -n "$words" ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))',
        '    else COMPREPLY=($(compgen -f -- "$current")); fi',
        "}",
        "complete -o filenames -F _swift swift",
    ]
    return "\n".join(lines) + "\n"


def _zsh() -> str:
    lines = [
        "#compdef swift",
        "# zsh completion for swift; put it into a folder of $fpath as _swift",
        "_swift() {",
        "    local -a commands",
        "    commands=(",
        *(f"        {_quoted(f'{row.name}:{row.help}')}" for row in COMMANDS.values()),
        "    )",
        "    if (( CURRENT == 2 )) || [[ ${words[2]} == plan && CURRENT -eq 3 ]]; then",
        "        _describe command commands; return",
        "    fi",
        "    [[ ${words[2]} == plan ]] && shift words && (( CURRENT-- ))",
        "    case ${words[2]//_/-} in",
    ]
    for command, known in _options().items():
        lines.append(f"        {command}) shift words; (( CURRENT-- )); _arguments \\")
        for name, spec in known.items():
            if spec.positional:
                continue
            values = _values(spec)
            action = f"({' '.join(values)})" if values else "_files"
            lines.append(f"            {_quoted(f'--{name}[{_short(spec)}]:{name}:{action}')} \\")
        first = _first_words(known)
        lines.append(f"            {_quoted('*::word:(' + ' '.join(first) + ')' if first else '*:file:_files')} ;;")
    lines += ["    esac", "}", '_swift "$@"']
    return "\n".join(lines) + "\n"


def _fish() -> str:
    lines = ["# fish completion for swift; put it into ~/.config/fish/completions/swift.fish"]
    for row in COMMANDS.values():
        lines.append(f"complete -c swift -n __fish_use_subcommand -f -a {row.name} -d {_quoted(row.help)}")
    for command, known in _options().items():
        condition = _quoted(f"__fish_seen_subcommand_from {command} {command.replace('-', '_')}")
        first = _first_words(known)
        if first:
            lines.append(f"complete -c swift -n {condition} -f -a {_quoted(' '.join(first))}")
        for name, spec in known.items():
            if not spec.positional:
                values = _values(spec)
                takes = f"-x -a {_quoted(' '.join(values))}" if values else "-r"
                lines.append(f"complete -c swift -n {condition} -l {name} {takes} -d {_quoted(_short(spec))}")
    return "\n".join(lines) + "\n"


def _short(spec: Spec) -> str:
    """The first sentence of the help, without what zsh reads as its own signs."""
    text = spec.help.partition(". ")[0].rstrip(".")
    for sign in "[]:\\'\"":
        text = text.replace(sign, " " if sign in "[]:" else "")
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "") + "'"
