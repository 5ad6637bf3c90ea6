"""Plain values -> HostSpec, or every complaint at its place in the words of host.yaml.

pydantic finds what is wrong; not one of its words reaches the reader.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from provision.host.errors import Diagnostic

from .hints import bool_hint, guess_key, guess_word, number_hint
from .model import HostSpec
from .places import Path, Places
from .subject import clip, label, one_line, quoted, shown, subject
from .wanted import Wanted


def validate(
    plain: dict[str, Any], places: Places
) -> tuple[HostSpec | None, list[Diagnostic], list[Path]]:
    """The spec and no complaint; or None, all complaints and the paths they are about.

    Where text is wanted, `8080`, `true` or `1.10` without quotes are taken as they are written:
    plain is changed accordingly.
    """
    for _ in range(2):  # the second look sees the values that became text
        try:
            return HostSpec.model_validate(plain), [], []
        except ValidationError as error:
            found = [(_path(plain, one), one) for one in error.errors(include_url=False)]
        if not _take_as_written(plain, found, places):
            break
    return None, _Complaints(places).all(found), [path for path, _ in found]


def without_broken(plain: dict[str, Any], broken: list[Path]) -> HostSpec | None:
    """What is left when every key with a complaint is taken out; None when too little is.

    The rules can still look at the rest, so that all complaints come at once. An instance without
    a usable engine goes whole; a section (proxy, gpu_settings) with a complaint too.
    """
    rest = {**plain, "version": 1}
    instances = plain.get("instances")
    rest["instances"] = kept = dict(instances) if isinstance(instances, dict) else {}
    for path in broken:
        top, name, key = (*map(str, path), "", "", "")[:3]
        if top not in ("instances", "version"):
            rest.pop(top, None)
        elif top == "instances" and (key in ("", "engine") or not isinstance(kept.get(name), dict)):
            kept.pop(name, None)
        elif top == "instances":
            kept[name] = {one: value for one, value in kept[name].items() if one != key}
    try:
        return HostSpec.model_validate(rest)
    except ValidationError:  # no instances are left
        return None


def _has_key(value: Any, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _path(plain: Any, error: ErrorDetails) -> Path:
    """The error's path in the file: without the marks of unions and of a mapping's keys."""
    path: list[str | int] = []
    value = plain
    for step in error["loc"]:
        if isinstance(value, list) if isinstance(step, int) else _has_key(value, step):
            value = value[step]
            path.append(step)
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _take_as_written(
    plain: dict[str, Any], found: list[tuple[Path, ErrorDetails]], places: Places
) -> bool:
    """Put the text of unquoted numbers and words where text is wanted. Whether anything changed."""
    changed = False
    for path, error in found:
        scalar = places.scalar(*path)
        if error["type"] != "string_type" or not scalar or scalar.text in ("", "~", "null"):
            continue
        holder: Any = plain
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = scalar.text
        changed = True
    return changed


class _Complaints:
    """Turns what pydantic found into diagnostics."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.wanted = Wanted()

    def all(self, found: list[tuple[Path, ErrorDetails]]) -> list[Diagnostic]:
        made: list[Diagnostic] = []
        meant: set[Path] = set()  # keys that a misspelt one stands for: not missing as well
        for path, error in found:
            if error["type"] == "extra_forbidden":
                diagnostic, guess = self.unknown_key(path)
                made.append(diagnostic)
                meant.add((*path[:-1], guess or ""))
        for path, error in found:
            if error["type"] == "missing" and path not in meant:
                made.append(self.missing_key(path))
            elif error["type"] not in ("missing", "extra_forbidden"):
                made.append(self.bad_value(path, error))
        return made

    def unknown_key(self, path: Path) -> tuple[Diagnostic, str | None]:
        key, holder = str(path[-1]), path[:-1]
        keys = self.wanted.keys(holder)
        guess = guess_key(key, keys)
        owner = self.wanted.owner_of(key)
        hint = f"keys here: {', '.join(keys)}"
        if owner:
            hint, guess = f"{key} belongs to {owner}", None
        if guess:
            hint = f"did you mean {guess}?"
        inner = label(holder) if subject((*holder, "")) != f"{label(holder)}: " else ""
        message = f"{subject(path)}there is no key {quoted(key)}"
        message += f" in {inner}" if inner else ""
        return self.make("unknown-key", message, path, hint, key=True), guess

    def missing_key(self, path: Path) -> Diagnostic:
        name = label(path) or str(path[-1])
        message = f"{subject(path)}{name} is missing"
        return self.make("missing-key", message, path, self.hint_for_missing(path), key=True)

    def hint_for_missing(self, path: Path) -> str:
        if path == ("version",):
            return "write version: 1"
        return f"{path[-1]} takes {self.wanted.words(path)}"

    def bad_value(self, path: Path, error: ErrorDetails) -> Diagnostic:
        kind, last = error["type"], error["loc"][-1]
        if kind == "string_pattern_mismatch" and last == "[key]":
            return self.bad_name(path)
        value, name = error["input"], label(path)
        wanted = self.wanted.words(path)
        written = shown(value, self.places.scalar(*path))
        if kind == "too_short":
            message = f"{subject(path)}{name} is empty; allowed: {wanted}, with at least one item"
            return self.make("empty", message, path, None)
        if value is None:
            message = f"{subject(path)}{name} has no value; allowed: {wanted}"
            return self.make("no-value", message, path, self.hint(path, value))
        rule = "wrong-type"
        if kind.startswith(("less_than", "greater_than")):
            rule = "out-of-range"
        elif kind == "literal_error":
            rule = "not-a-choice"
        elif kind == "string_pattern_mismatch":
            rule = "bad-text"
        message = f"{subject(path)}{name} is {written}; allowed: {wanted}"
        return self.make(rule, message, path, self.hint(path, value))

    def bad_name(self, path: Path) -> Diagnostic:
        name = str(path[-1])
        slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
        hint = f"for example {slug[:41]}" if slug else None
        message = (
            f"{quoted(name)} cannot be the name of an instance; "
            "allowed: small letters, digits and -, at most 41, the first no -"
        )
        return self.make("bad-name", message, path, hint, key=True)

    def hint(self, path: Path, value: Any) -> str | None:
        """A remedy for a value of the wrong kind."""
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        choices = self.wanted.choices(path)
        wanted = self.wanted.words(path)
        scalar = self.places.scalar(*path)
        if value is None:
            return 'write "" for empty text' if wanted == "text" else "remove the key or fill it in"
        if "off" in choices and (value is False or str(value).lower() in ("no", "false", "none")):
            return "write off"
        if not isinstance(value, str):
            if path[-1] == "numa" and type(value) is int and value >= 0:
                return f"write numa: [{value}]"
            return "write true or false" if wanted == "true or false" else None
        if wanted == "{file}":
            return f"write {{file: {clip(value)}}}"
        if wanted == "true or false":
            return bool_hint(value)
        if value in choices and path != ("version",):
            return None
        number = number_hint(value, bool(scalar and scalar.plain))
        if number and any(char.isdigit() for char in wanted):
            return number
        near = guess_word(value, choices)
        if near:
            return f"did you mean {near}?"
        if key in ("power_limit_watts", "power_supply_watts"):
            return "write watts as a number: 300"
        if "list of" in wanted and key != "numa":
            return f"write a list: {key}: [{value}]" if len(value) < 50 else "write a list: [...]"
        return None

    def make(
        self, rule: str, message: str, path: Path, hint: str | None, *, key: bool = False
    ) -> Diagnostic:
        place = self.places.at(*path, key=key) or self.places.nearest(*path)
        hint = one_line(hint) if hint else None
        return Diagnostic(rule, one_line(message), place or self.places.start(), hint)
