"""Whether the workers of nginx serve what lies on disk."""

from __future__ import annotations

import dataclasses

from ..bundle import Nginx
from ..files import Files
from ..probe import ask
from .upstreams import mark_of


def not_loaded(nginx: Nginx, files: Files) -> str | None:
    """Why they do not, None when they do. One request to the location of Nginx.health."""
    if nginx.health is None:
        return None
    outcome = ask(dataclasses.replace(nginx.health, body_has=mark_of(nginx, files)))
    return None if outcome.ok else f"its workers run another configuration ({outcome.why})"
