"""Whether nginx would take its whole configuration, asked before anything live changes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..bundle import Artifact
from ..errors import Diagnostic
from ..files import Files
from ..run import Ran, run, which
from ..transaction.state import content_of, mode_of
from .build import Build as Build
from .build import build as build
from .build import parse_build as parse_build
from .prove import held_by_nginx as held_by_nginx
from .prove import last_errors as last_errors
from .prove import prove as prove

_NO_NAMESPACE = 125
# sh and not several mounts of ours: the namespace ends with the process
_BIND = f'mount --bind "$1" "$2" || exit {_NO_NAMESPACE}; exec nginx -T'


def files_read(dump: str) -> set[str]:
    """The files that a configuration consists of, from `nginx -T`."""
    return set(re.findall(r"^# configuration file (.+):$", dump, re.MULTILINE))


def check_merged(
    entry: str | None, writes: Iterable[Artifact], removes: Iterable[str], stage: Path
) -> list[Diagnostic]:
    """Whether nginx takes its whole configuration, foreign files included, with our changes in it.

    A copy of the folder is changed and bound over the real one in a private mount namespace, so
    that every path is the real one and nothing live is touched; where namespaces are not to be
    had, paths in a copy are rewritten instead. entry: a file of ours that must be read; None:
    ours are on their way out.
    """
    made = build()
    tree = stage / "nginx"
    shutil.copytree(made.folder, tree, symlinks=True, ignore=_special_files)
    staged = Files(tree)
    prefix = f"{made.folder}/"
    for path in removes:
        if path.startswith(prefix):
            staged.remove(path.removeprefix(made.folder))
    for one in writes:
        if not one.path.startswith(prefix):
            continue
        if one.kind == "link":
            staged.link(one.path.removeprefix(made.folder), one.content)
        else:
            staged.write(one.path.removeprefix(made.folder), content_of(one), mode_of(one))
    ran = _in_namespace(tree, made)
    if ran is None:
        ran = _rewritten(tree, made)
    return judge_test(ran, entry, made)


def judge_test(ran: Ran, entry: str | None, made: Build) -> list[Diagnostic]:
    """What is wrong, from a run of `nginx -T`."""
    # `nginx: [emerg] ...`, or with a time and process in front once the error log is open
    said = [re.sub(r"^[\d/]+ [\d:]+ (\[\w+\]) \S+: ", r"\1 ", one) for one in ran.err.splitlines()]
    bad = [line for line in said if "[emerg]" in line or "[crit]" in line or "[alert]" in line]
    bad += [
        line
        for line in said
        if "[warn]" in line and ("provision" in line or "conflicting server name" in line)
    ]
    if not ran.ok and not bad:
        bad = [ran.err.strip() or f"nginx -t ended with exit code {ran.code}"]
    if bad:
        return [Diagnostic("nginx-refuses", "\n".join(bad), hint="nothing live was touched")]
    if entry and entry not in files_read(ran.out):
        return [
            Diagnostic(
                "nginx-does-not-include",
                f"{made.configuration} does not include {entry}",
                hint=f"put `include {entry.rpartition('/')[0]}/*.conf;` into its http block",
            )
        ]
    return []


def _in_namespace(tree: Path, made: Build) -> Ran | None:
    """`nginx -T` with the tree in place of the real folder; None where that cannot be had."""
    if which("unshare") is None:
        return None
    argv = ["unshare", "--mount", "--propagation", "private"]
    ran = run([*argv, "sh", "-c", _BIND, "sh", str(tree), made.folder], timeout=120)
    if ran.code in (_NO_NAMESPACE, 126, 127) or ran.err.startswith("unshare:"):
        return None
    return ran


def _rewritten(tree: Path, made: Build) -> Ran:
    """`nginx -T` of the tree where it lies, with the real folder's name replaced in every file."""
    real, here = made.folder.encode() + b"/", str(tree).encode() + b"/"
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            target = str(path.readlink())
            if target.startswith(f"{made.folder}/"):
                path.unlink()
                path.symlink_to(target.replace(made.folder, str(tree), 1))
        elif path.is_file():
            content = path.read_bytes()
            if b"\0" not in content and real in content:
                path.write_bytes(content.replace(real, here))
    configuration = tree / made.configuration.rpartition("/")[2]
    ran = run(["nginx", "-T", "-c", str(configuration)], timeout=120)
    out, err = (text.replace(str(tree), made.folder) for text in (ran.out, ran.err))
    return Ran(ran.argv, ran.code, out, err)


def _special_files(folder: str, names: list[str]) -> list[str]:
    """Sockets and pipes cannot be copied and are no configuration."""
    paths = {name: Path(folder, name) for name in names}
    return [
        name
        for name, path in paths.items()
        if not (path.is_symlink() or path.is_file() or path.is_dir())
    ]
