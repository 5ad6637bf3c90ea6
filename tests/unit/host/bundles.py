"""Small bundles for the tests of the host half."""

from __future__ import annotations

from collections.abc import Mapping

from provision.host.bundle import Artifact, Bundle, Expectation, Instance, InstanceRuntime, KeyMap
from provision.host.facts import Placed
from provision.host.files import Files
from provision.host.report import ApplyResult, Step

UNIT = "/etc/systemd/system/ollama@.service"
DROP_IN = "/etc/systemd/system/ollama@chat.0.service.d/10-provision.conf"
WANTS = "/etc/systemd/system/provision.target.wants/ollama@chat.0.service"
ENV = "/etc/provision/instances/chat.0.env"

FIRST: Mapping[str, str] = {
    UNIT: "[Service]\nType=exec\n",
    DROP_IN: "[Service]\nExecStart=\nExecStart=/bin/true\n",
    ENV: "A=1\n",
}


def bundle(
    texts: Mapping[str, str] = FIRST,
    links: Mapping[str, str] | None = None,
    key_maps: tuple[KeyMap, ...] = (),
    secret: tuple[str, ...] = (),
) -> Bundle:
    """A bundle of files (0600 for env files) and links, with one instance."""
    made = [
        Artifact(path, text, 0o600 if path.endswith(".env") else 0o644, secret=path in secret)
        for path, text in texts.items()
    ]
    made += [
        Artifact(path, target, kind="link") for path, target in (links or {WANTS: UNIT}).items()
    ]
    return Bundle(
        version=1,
        host="box",
        tool="0.1.0",
        artifacts=tuple(sorted(made, key=lambda one: one.path)),
        key_maps=key_maps,
        instances=(instance(),),
    )


def instance(name: str = "chat.0", port: int = 11434) -> Instance:
    """An instance without GPUs."""
    unit = f"ollama@{name}.service"
    return Instance(
        name=name,
        group=name.partition(".")[0],
        engine="ollama",
        unit=unit,
        digest="d" * 64,
        runtime=InstanceRuntime(1, name),
        expectation=Expectation("ollama", port=port),
        placed=Placed(name, "ollama", unit, port=port, ports=(port,)),
    )


def quiet(step: Step) -> None:
    """Progress that nobody reads."""


def tree(files: Files) -> dict[str, tuple[str, int, bytes]]:
    """Everything below a root besides the lock: kind, mode and content by path."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for path in sorted(files.root.rglob("*")):
        name = "/" + path.relative_to(files.root).as_posix()
        disk = files.look(name)
        if disk and not name.startswith("/run"):
            found[name] = (disk.kind, disk.mode, disk.content)
    return found


def stamps(files: Files) -> dict[str, tuple[int, int]]:
    """Inode and time of last change of everything: what `wrote nothing` means."""
    return {
        str(path): (path.lstat().st_ino, path.lstat().st_ctime_ns)
        for path in sorted(files.root.rglob("*"))
    }


def rules(result: ApplyResult) -> list[str]:
    """The rules of a result's problems."""
    return [one.rule for one in result.problems]
