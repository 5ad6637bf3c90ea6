"""Options that the owner gives in `args`, compared with those that the plan owns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_SHORTEST_ABBREVIATION = len("--po")  # argparse takes any unambiguous beginning of a long option


def option_name(argument: str) -> str | None:
    """The option that an argument names: `--Max_x=3` -> `--Max-x`; None for a value.

    vLLM and llama.cpp both take `_` for `-` in long options, and vLLM `--x=y`. A negative number
    is a value.
    """
    if not argument.startswith("-") or argument in ("-", "--"):
        return None
    name = argument.split("=", 1)[0]
    if name[1:2].isdigit() or name[1:2] == ".":
        return None
    return name.replace("_", "-") if name.startswith("--") else name


def named_options(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Positions and names of the options among the arguments."""
    for at, argument in enumerate(arguments):
        name = option_name(argument)
        if name is not None:
            yield at, name


def owned_by(name: str, owned: Mapping[str, str]) -> str | None:
    """The owned option that this name stands for, abbreviations included; None when free."""
    if name in owned:
        return name
    if name.startswith("--") and len(name) >= _SHORTEST_ABBREVIATION:
        return next((option for option in sorted(owned) if option.startswith(name)), None)
    return None


def has_option(arguments: Sequence[str], *options: str) -> bool:
    """Whether one of these options (all spellings given) is among the arguments."""
    return any(name in options for _, name in named_options(arguments))


def option_value(arguments: Sequence[str], *options: str) -> str | None:
    """The (first) value of the last of these options, None when absent."""
    value: str | None = None
    for at, name in named_options(arguments):
        if name not in options:
            continue
        if "=" in arguments[at]:
            value = arguments[at].split("=", 1)[1]
        elif at + 1 < len(arguments) and option_name(arguments[at + 1]) is None:
            value = arguments[at + 1]
    return value


def option_values(arguments: Sequence[str], *options: str) -> tuple[str, ...]:
    """All values of the last of these options, which may take several; () when absent."""
    values: tuple[str, ...] = ()
    for at, name in named_options(arguments):
        if name not in options:
            continue
        if "=" in arguments[at]:
            values = (arguments[at].split("=", 1)[1],)
            continue
        end = at + 1
        while end < len(arguments) and option_name(arguments[end]) is None:
            end += 1
        values = tuple(arguments[at + 1 : end])
    return values
