"""Where a result goes: a JSON document on stdout or in a file, text for people on stdout."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from provision.host.document import dumps
from provision.host.errors import fail


def put_document(value: Any) -> None:
    """A value as its JSON document on stdout."""
    sys.stdout.write(dumps(value))


def save_document(value: Any, path: Path) -> None:
    """A value as its JSON document in a file, whole or not at all.

    A device or pipe (/dev/stdout) is written as it is. ProvisionError `unwritable` says why not.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        if path.exists() and not path.is_file():
            path.write_text(dumps(value), encoding="utf-8")
            return
        new.write_text(dumps(value), encoding="utf-8")
        new.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise fail("unwritable", f"{path}: {error.strerror}") from None


def deliver(value: Any, as_json: bool, output: Path | None) -> bool:
    """Bring a value to where the options want it; whether people are left to be told."""
    if output is not None:
        save_document(value, output)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        put_document(value)
    return output is None and not as_json
