"""Errors in the arguments, each described in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches

from cyclopts import App, Argument, CycloptsError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)


def describe(error: CycloptsError) -> str:
    """One sentence: what is wrong, and what was expected."""
    command = " ".join(error.command_chain or ())
    match error:
        case UnknownCommandError():
            return _no_command(error.unused_tokens, error.app)
        case UnknownOptionError():
            return _unknown_option(error.token.keyword or error.token.value, command, error.app)
        case MissingArgumentError(keyword=None):
            return _missing(error, command)
        case MissingArgumentError():
            return f"{error.keyword} needs a value{_choices(error.argument)}"
        case CoercionError():
            return _wrong_value(error)
        case UnusedCliTokensError():
            return f"{command} does not take the argument {error.unused_tokens[0]!r}"
        case RepeatArgumentError():
            return f"{error.token.keyword} is given more than once"
    return " ".join(str(error).split())


def _no_command(words: list[str], app: App) -> str:
    known = [name for name in app.resolved_commands() if not name.startswith("-")]
    if not words:
        return f"name a command: {_either(known)}; --help says what they do"
    if words[0].startswith("-"):
        return f"unknown option {words[0]}; only --debug and --help may stand before the command"
    expected = _nearest(words[0], known) or f"expected {_either(known)}"
    return f"unknown command {words[0]!r}; {expected}"


def _unknown_option(word: str, command: str, app: App) -> str:
    name = word.split("=")[0]
    known = [name for argument in app.assemble_argument_collection() for name in argument.names]
    listed = f"`chain-of-steps {command} --help` lists the options"
    return f"unknown option {name}; {_nearest(name, [*known, '--debug', '--help']) or listed}"


def _missing(error: MissingArgumentError, command: str) -> str:
    for word in error.unused_tokens or ():  # a misspelt option is why another one is missing
        if word.startswith("--"):
            return _unknown_option(word, command, error.app)
    return f"{command} needs {_shown(error.argument)}{_choices(error.argument)}"


def _wrong_value(error: CoercionError) -> str:
    name, value = error.token.keyword or _shown(error.argument), error.token.value
    choices = error.argument.get_choices()
    if error.argument.hint is bool:
        return f"{name} is {value!r}, but it takes no value"
    return f"{name} is {value!r}; {f'expected {_either(choices)}' if choices else error.msg}"


def _shown(argument: Argument) -> str:
    """The name as help shows it: `--out`, or `WHAT` where there is no option."""
    return argument.name if argument.name.startswith("-") else argument.name.upper()


def _choices(argument: Argument) -> str:
    choices = argument.get_choices()
    return f": {_either(choices)}" if choices else ""


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _nearest(word: str, known: list[str]) -> str:
    """A question that names the most similar word; empty if none is similar."""
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else ""
