"""How an apply is to be done, beside what is to be applied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """adopt: files of others at our paths become ours; overwrite: files of ours that were edited
    by hand are written anew. Of both a backup is kept. confirm_seconds: roll back after so long
    unless `provision confirm` comes. checkpoint: a name that the present generation gets, which
    is then kept. no_downtime: refuse where a service would not be served for a while.
    steady_seconds: so long what was started must stay up before the apply counts. note: what the
    history says of this run.
    """

    adopt: bool = False
    overwrite: bool = False
    confirm_seconds: int | None = None
    checkpoint: str | None = None
    no_downtime: bool = False
    steady_seconds: float = 6.0
    note: str = "apply"
