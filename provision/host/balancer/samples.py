"""The numbers that an engine tells about itself, in Prometheus' text format."""

from __future__ import annotations

import math
import re

# Of the text format 0.0.4 and of OpenMetrics, whose exemplars stand behind the value. A label's
# value may hold any sign; quotes and backslashes in it are escaped.
_SAMPLE = re.compile(
    r"""([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+([^ \t]+)"""
)


def samples(text: str) -> dict[str, float]:
    """The value of every sample by its name, samples with different labels added up.

    Lines that are no samples are passed over, and so is NaN: it says that there is no value.
    """
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line.strip())
        value = None if match is None else _number(match[2])
        if match and value is not None:
            found[match[1]] = found.get(match[1], 0.0) + value
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
