"""Base states and the operation that is killed, each with what it must end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provision.host.bundle import Bundle

from .wishes import FAILING, FIRST, LIMITS, SECOND, THIRD, UNIT


@dataclass(frozen=True)
class Operation:
    """A verb of the agent, and how it ends where nobody disturbs it."""

    words: tuple[str, ...]
    bundle: Bundle | None = None
    code: int = 0


def apply(bundle: Bundle, *flags: str, code: int = 0) -> Operation:
    return Operation(("apply", *flags), bundle, code)


@dataclass(frozen=True)
class Scenario:
    """before: operations and edits by hand that make the base state. bare: the machine as `remove`
    has to leave it is the one before all of them, but for what was edited by hand.

    again: what is run in the end to complete the killed operation. None: the same once more.
    """

    name: str
    before: tuple[Operation | Callable[[Path], None], ...]
    operation: Operation
    again: Operation | None = None

    @property
    def completing(self) -> Operation:
        return self.again or self.operation


def bare(root: Path) -> None:
    """A machine before provision: folders and files of others."""
    for folder in ("etc/systemd/system", "usr/local/lib", "var/lib", "srv", "run"):
        (root / folder).mkdir(parents=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "srv/plain-file").write_text("not a folder\n")


def _stranger(root: Path) -> None:
    path = root / LIMITS.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text("a stranger's\n")
    path.chmod(0o640)


def _edited(root: Path) -> None:
    with (root / UNIT.lstrip("/")).open("a") as file:
        file.write("# by hand\n")


_MANY = tuple(apply(bundle) for bundle in (FIRST, THIRD) * 6)
_REMOVE = Operation(("remove",))
FORWARD = (
    Scenario("first", (), apply(FIRST)),
    Scenario("update", (apply(FIRST),), apply(SECOND)),
    Scenario("failing", (apply(FIRST),), apply(FAILING, code=5)),
    Scenario("failing-first", (), apply(FAILING, code=5)),
    Scenario("adopt", (_stranger,), apply(FIRST, "--adopt")),
    Scenario("overwrite", (apply(FIRST), _edited), apply(SECOND, "--overwrite")),
    Scenario("checkpoint", (apply(FIRST),), apply(SECOND, "--checkpoint", "good")),
    Scenario("prune", _MANY, apply(SECOND)),
)
BACKWARD = (
    Scenario("rollback", (apply(FIRST), apply(SECOND)), Operation(("rollback", "1"))),
    Scenario("rollback-to-nothing", (apply(FIRST),), Operation(("rollback", "0")), _REMOVE),
    Scenario("remove", (apply(FIRST), apply(SECOND)), _REMOVE),
    Scenario("remove-adopted", (_stranger, apply(FIRST, "--adopt")), _REMOVE),
    Scenario("remove-edited", (apply(FIRST), _edited), _REMOVE),
)
