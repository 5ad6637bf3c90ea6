"""host.yaml -> HostSpec with the place of every value, or all that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.host.errors import Diagnostic, ProvisionError

from .nodes import read_nodes
from .places import Path, Places
from .secret import name_says_secret, why_secret
from .subject import clip

if TYPE_CHECKING:
    from .model import HostSpec

_NOT_SECRET = frozenset(
    {"file", "keys", "secrets"}
)  # keys of host.yaml whose values are no secrets
_SHORTEST = 4  # a shorter one cannot be told from the words of a message


@dataclass(frozen=True, slots=True)
class ReadSpec:
    """A spec without a complaint, and where its values stand."""

    spec: HostSpec
    places: Places


def read_spec(text: str | bytes, name: str = "host.yaml") -> ReadSpec:
    """Read host.yaml. Raises ProvisionError with every complaint, sorted by place.

    name is how the file is called in messages. Bytes must be UTF-8.
    """
    plain, places = read_nodes(text, name)
    secrets = _conceal_secrets(places)
    from .errors import validate, without_broken  # pydantic is slow to import
    from .rules import check

    spec, complaints, broken = validate(plain, places)
    known: list[str] = []
    rest = spec
    if spec is None:
        rest = without_broken(plain, broken)
        known = [str(path[1]) for path in broken if path[:1] == ("instances",) and len(path) > 1]
    if rest is not None:
        complaints += check(rest, places, known)
    if complaints or spec is None:
        raise ProvisionError(*_sorted([_without(secrets, one) for one in complaints]))
    return ReadSpec(spec, places)


def _conceal_secrets(places: Places) -> list[str]:
    """Before anything is complained about, since a complaint shows its whole line. What it hid."""
    hidden: list[str] = []
    for path, scalar in list(places.scalars()):
        name = _name_of(path, places)
        if why_secret(name, scalar.text):
            places.conceal(*path)
            hidden += [scalar.text, clip(scalar.text)]
    return sorted((one for one in hidden if len(one) >= _SHORTEST), key=len, reverse=True)


def _without(secrets: list[str], one: Diagnostic) -> Diagnostic:
    """The complaint without the secrets that stood in the wrong key and so came into its words."""
    message, hint = one.message, one.hint or ""
    for secret in secrets:
        message, hint = message.replace(secret, "***"), hint.replace(secret, "***")
    return replace(one, message=message, hint=hint or None)


def _name_of(path: Path, places: Places) -> str:
    """What a value is called: its key, or the option before it in a list."""
    last = path[-1] if path else ""
    if isinstance(last, str):
        return "" if last in _NOT_SECRET else last
    before: Any = places.scalar(*path[:-1], last - 1) if last else None
    return before.text if before and name_says_secret(before.text) else ""


def _sorted(complaints: list[Diagnostic]) -> list[Diagnostic]:
    """By place, each once."""

    def order(one: Diagnostic) -> tuple[int, int, str, str]:
        place = one.place
        return (place.line if place else 0, place.column if place else 0, one.rule, one.message)

    return sorted(dict.fromkeys(complaints), key=order)
