"""Recording an inspection into an archive, and inspecting the recorded host again anywhere."""

from __future__ import annotations

from pathlib import Path

from ...facts import Facts, InspectRequest
from ..host import look
from ..source import LiveSource, Source
from .packing import pack, refuse_to_overwrite
from .raw import keep_raw
from .recorder import Recorder
from .redaction import Redaction
from .replay import Replay
from .unpacking import unpacked


def record(
    request: InspectRequest,
    archive: Path,
    program: str,
    *,
    redact: bool = False,
    source: Source | None = None,
) -> Facts:
    """Inspect this machine and keep every answer in a new archive (.tar.xz, mode 0600).

    The facts are this machine's own, also when names are replaced in the archive. program: the
    version of provision. ProvisionError `exists` or `unwritable` when the archive cannot be made.
    """
    refuse_to_overwrite(archive)
    recorder = Recorder.of(source or LiveSource(), request)
    facts = look(request, recorder)
    keep_raw(recorder)
    kept = recorder.kept(program)
    pack(Redaction(kept).kept(kept) if redact else kept, archive)
    return facts


def replay(path: Path, request: InspectRequest | None = None) -> Facts:
    """The facts of a recorded host, from an archive or from the folder of an unpacked one.

    Nothing of this machine is read, no program is run. request: instead of the recorded one; what
    was not recorded of it is unknown. ProvisionError `bad-recording` or `bad-document` for what is
    no recording.
    """
    with unpacked(path) as folder:
        source = Replay.of(folder)
        return look(source.recording.request if request is None else request, source)
