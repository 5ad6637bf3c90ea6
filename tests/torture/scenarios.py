"""Base states and the operation that is killed, each with what it must end in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provision.host.bundle import Bundle

from .wishes import FAILING, FIRST, LIMITS, SECOND, THIRD, UNIT

CONFIRMATION = "var/lib/provision/confirm.json"
WAITING = "{transaction}"  # in an operation's words: the one that waits to be confirmed
# What follows a kill. `deep`: it is killed itself, once or twice, before it comes to its end.
FOLLOWING = (
    *("recover", "again", "third", "failing"),
    *("recover-deep", "again-deep", "failing-deep", "remove-deep"),
)
# Where an apply waits to be confirmed another one is refused.
FOLLOWING_A_WAIT = ("recover", "again", "recover-deep", "again-deep", "remove-deep")


@dataclass(frozen=True)
class Operation:
    """A verb of the agent, and how it ends where nobody disturbs it. done: or, where it was done
    before."""

    words: tuple[str, ...]
    bundle: Bundle | None = None
    code: int = 0
    done: int | None = None

    def on(self, root: Path) -> Operation:
        """With the transaction that waits there in its words."""
        if WAITING not in self.words:
            return self
        found = json.loads((root / CONFIRMATION).read_text())["transaction"]
        words = tuple(found if one == WAITING else one for one in self.words)
        return dataclasses.replace(self, words=words)


def apply(bundle: Bundle, *flags: str, code: int = 0) -> Operation:
    return Operation(("apply", *flags), bundle, code)


@dataclass(frozen=True)
class Scenario:
    """before: operations and edits by hand that make the base state. bare: the machine as `remove`
    has to leave it is the one before all of them, but for what was edited by hand.

    again: what is run in the end to complete the killed operation. None: the same once more.
    tidied: what takes away what that leaves to the next run.
    following: what may come after the kill.
    """

    name: str
    before: tuple[Operation | Callable[[Path], None], ...]
    operation: Operation
    again: Operation | None = None
    tidied: Operation | None = None
    following: tuple[str, ...] = FOLLOWING

    @property
    def completing(self) -> Operation:
        return self.again or self.operation

    def on(self, base: Path) -> Scenario:
        """With the transaction that waits in its base state."""
        return dataclasses.replace(self, operation=self.operation.on(base))


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


RECOVER, REMOVE = Operation(("recover",)), Operation(("remove",))
_MANY = tuple(apply(bundle) for bundle in (FIRST, THIRD) * 6)
_CONFIRM = Operation(("confirm",), done=1)
_EXPIRE = Operation(("expire", WAITING))
_UNCONFIRMED = apply(SECOND, "--confirm", "600")  # without a live host no timer runs
FORWARD = (
    Scenario("first", (), apply(FIRST)),
    Scenario("update", (apply(FIRST),), apply(SECOND)),
    Scenario("failing", (apply(FIRST),), apply(FAILING, code=5)),
    Scenario("failing-first", (), apply(FAILING, code=5)),
    Scenario("adopt", (_stranger,), apply(FIRST, "--adopt")),
    Scenario("overwrite", (apply(FIRST), _edited), apply(SECOND, "--overwrite")),
    Scenario("checkpoint", (apply(FIRST),), apply(SECOND, "--checkpoint", "good")),
    Scenario("prune", _MANY, apply(SECOND)),
    Scenario("confirm-later", (apply(FIRST),), _UNCONFIRMED, following=FOLLOWING_A_WAIT),
)
BACKWARD = (
    Scenario("rollback", (apply(FIRST), apply(SECOND)), Operation(("rollback", "1"))),
    Scenario("rollback-to-nothing", (apply(FIRST),), Operation(("rollback", "0")), REMOVE),
    Scenario("remove", (apply(FIRST), apply(SECOND)), REMOVE),
    Scenario("remove-adopted", (_stranger, apply(FIRST, "--adopt")), REMOVE),
    Scenario("remove-edited", (apply(FIRST), _edited), REMOVE),
    Scenario("confirm", (apply(FIRST), _UNCONFIRMED), _CONFIRM, following=FOLLOWING_A_WAIT),
    Scenario(
        "expire",
        (apply(FIRST), _UNCONFIRMED),
        _EXPIRE,
        tidied=RECOVER,  # a timer that finds nothing to be taken back ends at once
        following=FOLLOWING_A_WAIT,
    ),
    Scenario("expire-first", (_UNCONFIRMED,), _EXPIRE, tidied=RECOVER, following=FOLLOWING_A_WAIT),
)
