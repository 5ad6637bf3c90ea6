"""YAML text -> plain values and Places.

Built from the parser's events, not from its loader: what a plain word means is decided here (YAML
1.2's core, so `no`, `on`, `0644` and `12:30` stay text), anchors and tags are refused before they
can do anything, the depth is bounded and nothing recurses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from provision.host.errors import Diagnostic, ProvisionError

from .places import Path, Places, Scalar, Span
from .scalars import resolve
from .subject import one_line
from .syntax import syntax_error
from .text import decode, hidden_character

DEEPEST = 24


def loaders() -> tuple[type[Any], ...]:
    """The parsers at hand, the fast one (libyaml) first where PyYAML was built with it."""
    fast = getattr(yaml, "CSafeLoader", None)
    return (fast, yaml.SafeLoader) if fast else (yaml.SafeLoader,)


def read_nodes(
    data: str | bytes, name: str = "host.yaml", loader: type[Any] | None = None
) -> tuple[dict[str, Any], Places]:
    """Read one YAML document whose top is a mapping. Raises ProvisionError with all complaints."""
    text = decode(data, name)
    places = Places(name, text)
    # libyaml lets tabs stand where the pure parser refuses them: with tabs, the strict one reads.
    chosen = loader or (yaml.SafeLoader if "\t" in text else loaders()[0])
    builder = _Builder(places)
    try:
        for event in yaml.parse(text, Loader=chosen):
            builder.take(event)
    except yaml.YAMLError as error:
        raise ProvisionError(syntax_error(text, error, places)) from None
    return builder.result(), places


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read. path None: it is thrown away after its complaint."""

    value: Any
    path: Path | None
    key: str | None = None  # the key whose value comes next
    key_span: Span | None = None
    skip_value: bool = False
    seen: dict[str, int] = field(default_factory=dict)  # key -> line


class _Builder:
    """Takes events one by one; keeps what was built and every complaint."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.complaints: list[Diagnostic] = []
        self.stack: list[_Frame] = []
        self.top: Any = None
        self.documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                self.complain(
                    "multiple-documents",
                    "a second document starts here; host.yaml holds one",
                    self.span(event),
                    "one host, one file: remove the line ---",
                )
        elif self.documents > 1:
            return
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self.check_marks(event)
            self.scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.check_marks(event)
            self.open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self.stack.pop()
            if not self.stack:
                self.top = frame.value

    def result(self) -> dict[str, Any]:
        """The document; raises ProvisionError when anything was wrong with it."""
        if not self.complaints and not isinstance(self.top, dict):
            if self.top is None:
                self.complain("empty-file", "the file is empty", Span(0, 0), _TOP_HINT)
            else:
                message = "the file is not a mapping of keys to values"
                self.complain("not-a-mapping", message, Span(0, 0), _TOP_HINT)
        if self.complaints:
            raise ProvisionError(*self.complaints)
        return dict(self.top)

    # One kind of event each.

    def alias(self, event: Any) -> None:
        merge = bool(self.stack) and self.stack[-1].key == "<<"
        if not merge:  # the merge key itself has been complained about
            self.complain(
                "no-anchors",
                f"the alias *{event.anchor} is not supported",
                self.span(event, len(event.anchor) + 1),
                "write the value out at each place",
            )
        if self.expects_key():
            self.bad_key()
        else:
            self.put(None, None, self.span(event), None)

    def scalar(self, event: Any) -> None:
        if self.expects_key():
            self.key(event)
            return
        plain = not event.style
        value = resolve(event.value) if plain else event.value
        span = self.value_span(event)
        hidden = hidden_character(event.value)
        if hidden:
            self.complain("hidden-character", f"{hidden} is in this value", span, _HIDDEN_HINT)
        self.put(value, self.child_path(), span, Scalar(event.value, plain))

    def key(self, event: Any) -> None:
        frame, text, span = self.stack[-1], event.value, self.span(event)
        frame.key, frame.key_span, frame.skip_value = text, span, False
        if text == "<<" and not event.style:
            self.complain(
                "no-merge",
                "merge keys (<<) are not supported",
                span,
                "write the keys out at each place",
            )
            frame.skip_value = True
        elif text in frame.seen:
            where = frame.path[-1] if frame.path else "the file"
            self.complain(
                "duplicate-key",
                f"{text} stands twice in {where}, first in line {frame.seen[text]}",
                span,
                "keep one of them",
            )
            frame.skip_value = True
        hidden = hidden_character(text)
        if hidden:
            self.complain("hidden-character", f"{hidden} is in this key", span, _HIDDEN_HINT)
        frame.seen.setdefault(text, span.line + 1)

    def open(self, event: Any) -> None:
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        span = self.span(event)
        if len(self.stack) >= DEEPEST:
            self.complain(
                "too-deep", f"values are nested deeper than {DEEPEST} levels", span, _NESTED_HINT
            )
            raise ProvisionError(*self.complaints)
        if self.expects_key():
            self.complain("bad-key", "a key must be a word", span, "quote what starts with { or [")
            self.bad_key()
            self.stack.append(_Frame(value, None))
            return
        path = self.child_path()
        self.put(value, path, span, None)
        self.stack.append(_Frame(value, path))

    # Steps of the above.

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and not self.has_key()

    def has_key(self) -> bool:
        return self.stack[-1].key is not None

    def bad_key(self) -> None:
        """What comes next is the value of a key that was refused."""
        self.stack[-1].key, self.stack[-1].skip_value = "", True

    def child_path(self) -> Path | None:
        """Path of the value that comes next; None when it is to be thrown away."""
        if not self.stack:
            return ()
        frame = self.stack[-1]
        if frame.path is None or frame.skip_value:
            return None
        step = frame.key if isinstance(frame.value, dict) else len(frame.value)
        return (*frame.path, step if step is not None else "")

    def put(self, value: Any, path: Path | None, span: Span, scalar: Scalar | None) -> None:
        if not self.stack:
            self.top = value
            self.places.record((), span)
            return
        frame = self.stack[-1]
        key_span = frame.key_span if isinstance(frame.value, dict) else None
        if path is not None:
            self.places.record(path, span, key_span, scalar)
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is not None:
            if not frame.skip_value:
                frame.value[frame.key] = value
            frame.key = frame.key_span = None

    def check_marks(self, event: Any) -> None:
        if event.anchor:
            self.complain(
                "no-anchors",
                f"the anchor &{event.anchor} is not supported",
                self.span(event),
                "write the value out at each place",
            )
        if event.tag:
            self.complain(
                "no-tags",
                f"the tag {event.tag.replace(_YAML_TAG, '!!')} is not supported",
                self.span(event),
                "quote the value where it is text that starts with !",
            )

    def value_span(self, event: Any) -> Span:
        """Where a value stands. An empty one has no place of its own: its key's or its dash's."""
        frame = self.stack[-1] if self.stack else None
        if event.value or event.style or not frame:
            return self.span(event)
        if isinstance(frame.value, dict):
            return frame.key_span or self.span(event)
        return self.places.dash_before(event.start_mark.line) or self.span(event)

    def span(self, event: Any, length: int = 0) -> Span:
        start, end = event.start_mark, event.end_mark
        if not length and isinstance(event, yaml.ScalarEvent):
            room = len(self.places.line(start.line)) - start.column
            length = end.column - start.column if end.line == start.line else room
        return Span(start.line, start.column, max(1, length))

    def complain(self, rule: str, message: str, span: Span, hint: str) -> None:
        self.complaints.append(Diagnostic(rule, one_line(message), self.places.place(span), hint))


_YAML_TAG = "tag:yaml.org,2002:"
_HIDDEN_HINT = "it cannot be seen; delete it and type the line anew"
_TOP_HINT = "start with the two lines `version: 1` and `instances:`"
_NESTED_HINT = "is a bracket left open?"
