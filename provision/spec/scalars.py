"""What a word without quotes means: the core of YAML 1.2, a little stricter.

YAML 1.1 makes `no` false, `0644` 420, `12:30:45` 45045 and `1_000` 1000; here they stay text, and
a key that wants something else says so.
"""

from __future__ import annotations

import re
from typing import Any

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def resolve(text: str) -> Any:
    """What a word without quotes means: true, false, null, a decimal number, else its own text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text
