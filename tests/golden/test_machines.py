"""GPU hosts, each a page of YAML: machine.yaml gives exactly the facts and screen in expected/.

The facts in `expected/facts.json` are pruned of nulls and empty lists and objects, so that a person
can read a diff; `test_nothing_is_lost_by_pruning` holds that nothing else is left out. The screen
is what `provision inspect` prints at 100 columns.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from provision.cli.facts_screen import show_facts
from provision.host.document import dumps, loads
from provision.host.facts import Facts
from provision.host.inspect.gpus import slot
from provision.host.inspect.nvidia.answers import NvmlAnswers
from provision.view.matrix import matrix
from tests.machines.build import ask_drivers, build_machine, inspect_machine
from tests.machines.description import Description, read_description
from tests.standin.build import build

from .tree import check_tree, write_tree

MACHINES = Path(__file__).parent / "machines"
_MEMORY = Path("/dev/shm")  # twenty thousand small files: seconds on a disk, a moment there
CASES = sorted(path.parent.name for path in MACHINES.glob("*/machine.yaml"))


@cache
def described(case: str) -> Description:
    return read_description(MACHINES / case / "machine.yaml")


@dataclass
class Workshop:
    """Machines below a folder: each is built and looked at once, when it is first asked for."""

    folder: Path
    answers: dict[str, NvmlAnswers]
    done: dict[str, Facts] = field(default_factory=dict)

    def facts(self, case: str) -> Facts:
        if case not in self.done:
            host = build_machine(described(case), self.folder / case)
            self.done[case] = inspect_machine(described(case), host, self.answers.get(case))
        return self.done[case]


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """All drivers are asked together, in one subprocess."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        folder = Path(name)
        library = build(folder / "library").parent
        (folder / "tables").mkdir()
        machines = {case: described(case) for case in CASES}
        yield Workshop(folder, ask_drivers(library, machines, folder / "tables"))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def facts(case: str, workshop: Workshop) -> Facts:
    return workshop.facts(case)


def screen_of(facts: Facts) -> str:
    """What `provision inspect` prints where no terminal is: 100 columns, no colour."""
    page = io.BytesIO()
    with io.TextIOWrapper(page, encoding="utf-8") as stream, redirect_stdout(stream):
        show_facts(facts)
        stream.flush()
        return page.getvalue().decode()


def pruned(value: Any) -> Any:
    """The same without nulls and without empty lists, texts and objects."""
    if isinstance(value, dict):
        inner = {key: pruned(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one not in (None, "", [], {})}
    return [pruned(one) for one in value] if isinstance(value, list) else value


def files_of(facts: Facts) -> dict[str, str]:
    text = json.dumps(pruned(json.loads(dumps(facts))), indent=1, ensure_ascii=False)
    return {"facts.json": text + "\n", "screen.txt": screen_of(facts)}


def test_there_are_machines() -> None:
    assert len(CASES) >= 1


def test_machine_is_as_expected(case: str, facts: Facts, update_golden: bool) -> None:
    files = files_of(facts)
    expected = MACHINES / case / "expected"
    if update_golden:
        write_tree(expected, files)
    check_tree(expected, files)


def test_nothing_else_lies_there() -> None:
    """A case that lost its machine.yaml would be passed over in silence."""
    stray = [path for path in MACHINES.iterdir() if path.name not in CASES]
    extra = [
        path
        for case in CASES
        for path in (MACHINES / case).iterdir()
        if path.name not in ("machine.yaml", "expected")
    ]
    assert stray + extra == []


def test_documents_round_trip(facts: Facts) -> None:
    assert loads(Facts, dumps(facts)) == facts


def test_screen_is_no_wider_than_100(facts: Facts) -> None:
    wide = [line for line in screen_of(facts).splitlines() if len(line) > 100]
    assert wide == []


def test_driver_and_bus_agree(case: str, facts: Facts) -> None:
    """The path that NVML tells of a pair of GPUs is the one that the bus's own tree tells.

    `ancestors:` in a description makes the driver say otherwise on purpose.
    """
    if described(case).section("nvidia").get("ancestors"):
        return
    stable = facts.stable
    by_slot = {(slot(one.a), slot(one.b)): one.path for one in stable.pci_paths}
    there = {gpu.uuid: slot(gpu.address) for gpu in stable.gpus}
    for link in stable.gpu_links:
        ends = (there[link.a], there[link.b])
        assert link.path == by_slot.get(ends, by_slot.get(ends[::-1])), ends


def test_matrix_is_that_of_nvidia_smi(case: str, facts: Facts) -> None:
    """Where `nvidia-smi topo -m` of such a machine is known, each of its cells is ours as well."""
    text = described(case).told.get("topo")
    found = matrix(facts)
    if not text:
        return
    assert found is not None
    names = dict(found.nics)
    columns = [names.get(column, column) for column in found.columns]
    (_, *head), *rows = [line.split() for line in text.splitlines()]
    for name, *cells in rows:
        ours = found.cells[columns.index(name)]
        told = {column: ours[columns.index(column)].rstrip("!") for column in head}
        assert told == dict(zip(head, cells, strict=True)), name


def test_every_card_is_found(case: str, facts: Facts) -> None:
    """What was plugged in is on the bus again, with its node, whatever the driver says."""
    found = {str(one.address): one for one in facts.stable.accelerators}
    for card in described(case).gpus:
        assert card.address in found
        if card.node is not None and card.node >= 0:
            assert found[card.address].numa_node == card.node
