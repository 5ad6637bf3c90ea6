"""The door to nginx: is a whole configuration valid, and do the workers that answer run ours."""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Artifact, Nginx
from ..errors import Diagnostic, ProvisionError, fail
from ..files import Files
from ..probe import ask
from ..run import Ran, run, which
from ..sockets import clashes, listeners, split_listen
from ..transaction.state import content_of, mode_of
from ..transaction.unit_changes import NGINX_UNIT

_PROOF_SECONDS = 20  # new workers answer within milliseconds; a loaded host takes seconds
_IN_A_ROW = 3  # answers with our digest, each on a new connection
_NO_NAMESPACE = 125
# sh and not several mounts of ours: the namespace ends with the process
_BIND = f'mount --bind "$1" "$2" || exit {_NO_NAMESPACE}; exec nginx -T'


@dataclass(frozen=True, slots=True)
class Build:
    """Where an nginx program was built to find its files."""

    configuration: str = "/etc/nginx/nginx.conf"
    error_log: str = "/var/log/nginx/error.log"

    @property
    def folder(self) -> str:
        """The folder of the whole configuration, without a slash at its end."""
        return self.configuration.rpartition("/")[0]


def parse_build(text: str) -> Build:
    """Read `nginx -V` (it prints to stderr)."""
    found = re.search(r"^configure arguments:(.*)$", text, re.MULTILINE)
    try:
        words = shlex.split(found[1]) if found else []
    except ValueError:
        words = []
    values = dict(word.split("=", 1) for word in words if "=" in word)
    prefix = values.get("--prefix", "/etc/nginx")
    paths = {
        "configuration": values.get("--conf-path", f"{prefix}/conf/nginx.conf"),
        "error_log": values.get("--error-log-path", f"{prefix}/logs/error.log"),
    }
    if not found:
        return Build()
    return Build(**{key: p if p.startswith("/") else f"{prefix}/{p}" for key, p in paths.items()})


def build() -> Build:
    """Where this host's nginx finds its files; ProvisionError `nginx-missing` without one."""
    if which("nginx") is None:
        raise fail("nginx-missing", "nginx is not installed", "apt install nginx, then apply again")
    return parse_build(run(["nginx", "-V"]).err)


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


def prove(nginx: Nginx) -> None:
    """Wait until new workers answer with our digest and hold the ports; else say why not."""
    deadline = time.monotonic() + _PROOF_SECONDS
    good, why = 0, ""
    while nginx.health and good < _IN_A_ROW:
        outcome = ask(nginx.health)
        good = good + 1 if outcome.ok else 0
        why = outcome.why
        if time.monotonic() > deadline:
            raise _not_ours(f"nginx does not serve the new configuration: {why}")
        if not outcome.ok:
            time.sleep(0.2)
    while True:
        missing = [one for one in nginx.listens if not held_by_nginx(one)]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise _not_ours(f"nginx does not listen on {', '.join(missing)}")
        time.sleep(0.2)


def held_by_nginx(listen: str) -> bool:
    """Whether a process of nginx.service listens there."""
    address, port = split_listen(listen)
    return any(
        one.port == port and one.unit == NGINX_UNIT and clashes(address, one) for one in listeners()
    )


def last_errors(lines: int = 5) -> str:
    """The end of nginx's error log: a reload that fails says so only there."""
    try:
        text = Path(build().error_log).read_text("utf-8", "replace")
    except (OSError, ProvisionError):
        return ""
    grave = [line for line in text.splitlines() if "[emerg]" in line or "[crit]" in line]
    return "\n".join(grave[-lines:])


def _not_ours(message: str) -> ProvisionError:
    said = last_errors()
    return fail("nginx-not-ours", f"{message}\n{said}" if said else message)


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
