"""Whether the workers of nginx serve what lies on disk."""

from __future__ import annotations

import dataclasses
import time

from ..bundle import Nginx
from ..files import Files
from ..probe import ask
from .holds import is_switching
from .upstreams import mark_of

_SWITCH_SECONDS = 10.0  # measured: 0.2 to 0.6, 2.5 with six processes for each core
_PAUSE = 0.2


def not_loaded(nginx: Nginx, files: Files) -> str | None:
    """Why they do not, None when they do. Requests to the location of Nginx.health.

    A switch of the watch or of an apply, whose files are ahead of the workers for a moment, is
    waited for.
    """
    if nginx.health is None:
        return None
    until = time.monotonic() + _SWITCH_SECONDS
    calm = False
    while (why := _otherwise(nginx, files)) is not None and time.monotonic() < until:
        if calm:
            break  # nobody was at it before this look, and it is so all the same
        calm = not is_switching(files)
        time.sleep(_PAUSE)
    return why


def _otherwise(nginx: Nginx, files: Files) -> str | None:
    assert nginx.health
    outcome = ask(dataclasses.replace(nginx.health, body_has=mark_of(nginx, files)))
    return None if outcome.ok else f"its workers run another configuration ({outcome.why})"
