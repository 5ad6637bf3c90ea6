"""What the balancer may write into nginx's files, and the mark of all that lies on disk."""

from __future__ import annotations

import hashlib
import re

from ..bundle import Nginx, UpstreamServer
from ..files import TEMPORARY, Files
from .answer import UNSET, answer_line
from .holds import Holds

FOLDER = "/etc/nginx/provision"
_ANSWER = re.compile(rb'return 200 "[0-9a-f]{64}\\n";\n')
_ADDRESS = re.compile(r"^(server 127\.0\.0\.1:)\d+(?=[ ;])")


def lines(nginx: Nginx, holds: Holds) -> dict[str, str]:
    """The content of every server line by path, as the holds say."""
    return {one.path: _line(one, holds) for one in sorted(nginx.servers, key=lambda one: one.path)}


def mark_of(nginx: Nginx, files: Files) -> str:
    """SHA-256 over all nginx files of ours as they lie on disk, without the answer file.

    Anybody may read the mark, so of a file that not everybody may read (API keys) it holds no
    trace of the content: inode, size and time of last change stand for it, every write is a new
    inode.
    """
    made = hashlib.sha256()
    for path in (nginx.configuration, *_files_below(files, FOLDER)):
        found = files.look(path)
        if path == nginx.answer or found is None:
            continue
        content = found.content
        if found.kind == "file" and not found.mode & 0o004:
            status = files.at(path).stat()
            content = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}".encode()
        for part in (path.encode(), found.kind.encode(), content):
            made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def accepted_forms(nginx: Nginx, holds: Holds | None = None) -> dict[str, tuple[str, ...]]:
    """All contents of the server lines that are ours, by path: up and down at the line's own port,
    and at a noted one where holds are given. The answer file has the form with UNSET only; any
    mark is ours there, see is_own_form.
    """
    holds = holds or Holds(1)
    found: dict[str, tuple[str, ...]] = {}
    for one in sorted(nginx.servers, key=lambda one: one.path):
        noted = [each.get(one.instance) for each in (holds.ports, holds.past)]
        forms = [one.up, one.down]
        forms += [_at(form, port) for port in noted if port for form in (one.up, one.down)]
        found[one.path] = tuple(dict.fromkeys(forms))
    if nginx.answer:
        found[nginx.answer] = (answer_line(UNSET),)
    return found


def is_own_form(nginx: Nginx, path: str, content: bytes, holds: Holds | None = None) -> bool:
    """Whether a server line or the answer file holds what the balancer may have written there.

    A port that is noted in the holds is known only from them. After a boot they are gone: ask with
    the bundle of before too, whose lines have that port as their own.
    """
    if path == nginx.answer:
        return _ANSWER.fullmatch(content) is not None
    forms = accepted_forms(nginx, holds).get(path, ())
    return any(content == form.encode() for form in forms)


def _line(server: UpstreamServer, holds: Holds) -> str:
    form = server.down if holds.holding(server.instance) else server.up
    port = holds.ports.get(server.instance)
    return form if port is None else _at(form, port)


def _at(form: str, port: int) -> str:
    """A line with another port of this host."""
    return _ADDRESS.sub(rf"\g<1>{port}", form)


def _files_below(files: Files, folder: str) -> list[str]:
    """Paths of all files and links below a folder, sorted; half-written ones of ours left out."""
    top = files.at(folder)
    return sorted(
        f"{folder}/{one.relative_to(top).as_posix()}"
        for one in top.rglob("*")
        if (one.is_symlink() or one.is_file()) and not one.name.startswith(TEMPORARY)
    )
