"""The templates folder and the Jinja2 environment: every value printed goes through one filter."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from provision.host.errors import fail

from .quoting import FILTERS, Quoted

_PACKAGE = Path(__file__).resolve().parent.parent
_PROOF = Path("systemd") / "instance@.service.j2"  # tells our folder from any other `templates`


def templates_folder() -> Path:
    """A checkout's `templates/` beside the package, else the installed copy inside it."""
    for folder in (_PACKAGE.parent / "templates", _PACKAGE / "_data" / "templates"):
        if (folder / _PROOF).is_file():
            return folder
    raise fail(
        "no-templates",
        f"the templates of provision are not beside {_PACKAGE} and not in it",
        "install llm-provision again",
    )


def fill(template: str, **values: Any) -> str:
    """Fill a template, named by its path below the folder without `.j2`."""
    return environment().get_template(f"{template}.j2").render(**values)


@functools.cache
def environment(folder: Path | None = None) -> Environment:
    """The environment over a folder; unknown names and unquoted values are errors."""
    made = Environment(
        loader=FileSystemLoader(folder or templates_folder(), encoding="utf-8"),
        undefined=StrictUndefined,
        autoescape=False,  # not HTML: each format has a filter, and `finalize` holds that
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_must_be_quoted,
    )
    made.filters.update(FILTERS)
    return made


def _must_be_quoted(value: Any) -> Any:
    if not isinstance(value, Quoted):
        raise TypeError(f"a template prints {value!r} without a filter")
    return value
