"""What YAML's parser says about broken text, in a sysadmin's words and at the right place."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import yaml

from provision.host.errors import Diagnostic, Place

from .places import Places, Span
from .secret import mask

_MOST_READ_AGAIN = 100_000  # characters

# (the parser's words, ours, a hint). The first that is found in its message counts.
_WORDS: tuple[tuple[str, str, str | None], ...] = (
    (
        "mapping values are not allowed",
        "a colon stands where no key can be",
        "check the indentation; quote a value that holds ': '",
    ),
    (
        "could not find expected ':'",
        "a key without a colon",
        "write `key: value`, with a space after the colon",
    ),
    (
        "expected <block end>",
        "this line does not fit the lines above",
        "indent it like its neighbours; items of one list start in one column",
    ),
    (
        "found unexpected end of stream",
        "a quote is opened and never closed",
        "close it, or remove it",
    ),
    ("expected ',' or '}'", "a { is not closed, or a comma is missing", "write {key: value, ...}"),
    ("expected ',' or ']'", "a [ is not closed, or a comma is missing", "write [one, two]"),
    (
        "cannot start any token",
        "a value cannot start with this character",
        "put the value in quotes",
    ),
    (
        "unknown escape character",
        "an escape that YAML does not know",
        "use single quotes where a backslash is meant as it is",
    ),
    (
        "sequence entries are not allowed",
        "a list item stands where none can be",
        "put it on a line of its own, under its key",
    ),
    ("expected alphabetic or numeric", "a value cannot start with * or &", "put it in quotes"),
    ("expected the node content", "a value is missing here", None),
)


def syntax_error(text: str, error: yaml.YAMLError, places: Places) -> Diagnostic:
    """The complaint for text that is not YAML.

    libyaml and the pure parser word and place their errors differently; the pure one is asked
    again, so that everybody sees the same (it is slow: not for a file that nobody wrote by hand).
    """
    if len(text) < _MOST_READ_AGAIN:
        error = _pure_error(text) or error
    mark = _mark(error)
    span = _inside(text, mark.line if mark else 0, mark.column if mark else 0)
    place = places.place(span)
    if re.match(r" *\t", place.text):
        column = place.text.index("\t")
        return Diagnostic(
            "tab",
            "a tab stands in the indentation, YAML takes spaces only",
            _masked(places, Span(span.line, column)),
            "replace it by spaces",
        )
    problem = str(getattr(error, "problem", None) or "it cannot be read")
    for words, message, hint in _WORDS:
        if words in problem:
            return Diagnostic("bad-yaml", f"not YAML: {message}", _masked(places, span), hint)
    return Diagnostic("bad-yaml", f"not YAML: {problem}", _masked(places, span))


def _mark(error: yaml.YAMLError) -> Any:
    """Where to look: what is never closed is found at the end of the file, but opened before."""
    problem = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    words = str(getattr(error, "problem", ""))
    unclosed = "end of stream" in words or "expected ','" in words
    if context and problem and context.line != problem.line and unclosed:
        return context
    return context if "could not find expected ':'" in words else problem or context


def _pure_error(text: str) -> yaml.YAMLError | None:
    try:
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as error:
        return error
    return None


def _inside(text: str, line: int, column: int) -> Span:
    """The mark, or the end of the last line that holds something when it lies behind the text."""
    lines = text.split("\n")
    if line < len(lines) and lines[line].strip():
        return Span(line, min(column, len(lines[line].rstrip("\r"))))
    last = max((at for at, one in enumerate(lines[: line + 1]) if one.strip()), default=0)
    return Span(last, len(lines[last].rstrip()))


def _masked(places: Places, span: Span) -> Place:
    """The place with its line free of what looks like a secret: nothing is known of it but text."""
    place = places.place(span)
    return replace(place, text=mask(place.text))
