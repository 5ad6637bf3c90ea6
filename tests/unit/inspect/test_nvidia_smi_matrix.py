from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.inspect.nvidia.answers import NvmlPair
from provision.host.inspect.nvidia.smi.ask import read_pairs
from provision.host.inspect.nvidia.smi.matrix import Matrix, parse_matrix

LEGEND = """
Legend:

  X    = Self
  SYS  = Connection traversing PCIe and the interconnect between NUMA nodes
  NV#  = Connection traversing # bonded NVLinks

NIC Legend:

  NIC0: mlx5_4
  NIC1: roceo12399
"""
# Four cards in two bonded pairs, two ports of one network card.
PAIRS = """\
\tGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tNIC1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID
GPU0\t X \tNV4\tNODE\tSYS\tPHB\tPHB\t0-11,48-59\t0\t\tN/A
GPU1\tNV4\t X \tPXB\tSYS\tNODE\tNODE\t0-11,48-59\t0\t\tN/A
GPU2\tNODE\tPXB\t X \tNV12\tNODE\tNODE\t12-23,60-71\t1\t\tN/A
GPU3\tSYS\tSYS\tNV12\t X \tSYS\tSYS\t12-23,60-71\t1\t\tN/A
NIC0\tPHB\tNODE\tNODE\tSYS\t X \tPIX\t\t\t\t
NIC1\tPHB\tNODE\tNODE\tSYS\tPIX\t X \t\t\t\t
"""
TOLD = Matrix(
    gpus=(0, 1, 2, 3),
    cells=(
        ("X", "NV4", "NODE", "SYS"),
        ("NV4", "X", "PXB", "SYS"),
        ("NODE", "PXB", "X", "NV12"),
        ("SYS", "SYS", "NV12", "X"),
    ),
    cpu_affinity=("0-11,48-59", "0-11,48-59", "12-23,60-71", "12-23,60-71"),
    numa_affinity=("0", "0", "1", "1"),
    gpu_numa_id=("N/A",) * 4,
    nics={"NIC0": ("PHB", "NODE", "NODE", "SYS"), "NIC1": ("PHB", "NODE", "NODE", "SYS")},
    nic_names={"NIC0": "mlx5_4", "NIC1": "roceo12399"},
)


def fused(text: str, column: int) -> str:
    """The text as a terminal gives it that ends its line at a column: the blanks there are lost."""
    return "".join(
        line[:column].rstrip() + line[column:] if column < len(line) else line
        for line in text.expandtabs(8).splitlines(keepends=True)
    )


def test_as_the_driver_prints_it() -> None:
    assert parse_matrix(PAIRS + LEGEND) == TOLD


@pytest.mark.parametrize(
    "carried",
    [
        lambda text: text.expandtabs(8),
        lambda text: text.replace("\t", "    "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: "ops@gpu07:~$ nvidia-smi topo -m\n" + text + "ops@gpu07:~$ \n",
        lambda text: "".join(f"> {line}\n" for line in text.splitlines()),
        lambda text: "".join(f"      {line}\n" for line in text.expandtabs(8).splitlines()),
        lambda text: text.replace("\tGPU0\t", "\t\x1b[4mGPU0\t", 1).replace("ID\n", "ID\x1b[0m\n"),
        lambda text: "\x1b[4m" + text.replace("ID\n", "ID\x1b[24;0m\n", 1),
        lambda text: text.replace("\tGPU0\t", "\t[4mGPU0\t", 1).replace("ID\n", "ID[0m\n", 1),
        lambda text: text.replace("\tGPU0\t", "\t^[[4mGPU0\t", 1).replace("ID\n", "ID^[[0m\n", 1),
        lambda text: text.replace("\t\t\t\t\n", "\n"),
        lambda text: fused(text, 24),
        lambda text: fused(text, 48),
        lambda text: fused(text, 56),
        lambda text: re.sub(
            r"GPU0.*ID", "GPU0GPU1GPU2GPU3NIC0NIC1CPU AffinityNUMA AffinityGPU NUMA ID", text
        ),
        lambda text: text.replace("NIC0\tNIC1\tCPU Aff", "NIC0\n\tNIC1\tCPU Aff", 1),
        lambda text: text.replace("SYS\tPHB\tPHB\t", "SYS\tPHB\nPHB\t", 1),
    ],
)
def test_as_it_was_carried(carried: object) -> None:
    assert callable(carried)
    assert parse_matrix(carried(PAIRS + LEGEND)) == TOLD


def test_the_oldest_form_with_the_cards_own_names() -> None:
    text = (
        "\tGPU0\tGPU1\tmlx5_0\tmlx5_bond_1\tbnxt_re0\tCPU Affinity\n"
        "GPU0\t X \tSOC\tPIX\tNODE\tSYS\t0-19\n"
        "GPU1\tSOC\t X \tSYS\tSYS\tPHB\t20-39\n"
        "mlx5_0\tPIX\tSYS\t X \tNODE\tSYS\t\n"
    )
    told = parse_matrix(text)
    assert told.cells == (("X", "SOC"), ("SOC", "X"))
    assert told.cpu_affinity == ("0-19", "20-39")
    assert told.numa_affinity is told.gpu_numa_id is None
    assert told.nics == {
        "mlx5_0": ("PIX", "SYS"),
        "mlx5_bond_1": ("NODE", "SYS"),  # its own row is cut: read from the GPUs' rows
        "bnxt_re0": ("SYS", "PHB"),
    }
    assert parse_matrix(text.expandtabs(8)) == told


def test_two_affinities() -> None:
    text = (
        "\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\n"
        "GPU0\t X \tNV2\t0-1\t0-1\n"
        "GPU1\tNV2\t X \t0-1\t\tN/A\n"
    )
    for form in (text, text.expandtabs(8)):
        told = parse_matrix(form)
        assert told.cpu_affinity == ("0-1", "0-1")
        assert told.numa_affinity == ("0-1", "N/A")
        assert told.gpu_numa_id is None


# A container that may use the CPUs of one node only; GPUs with their memory as nodes of their own.
GRACE = """\
\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID
GPU0\t X \tNV18\t0-35\t0,2-9\t\t2
GPU1\tNV18\t X \t\t1,10-17\t\t10
"""


@pytest.mark.parametrize("form", [GRACE, GRACE.expandtabs(8), GRACE.replace("\t", "    ")])
def test_no_cpus_and_many_nodes(form: str) -> None:
    told = parse_matrix(form)
    assert told.cpu_affinity == ("0-35", "")
    assert told.numa_affinity == ("0,2-9", "1,10-17")
    assert told.gpu_numa_id == ("2", "10")


@pytest.mark.parametrize(
    ("row", "tail"),
    [
        ("0-7\t\tN/A\t\tN/A", ("0-7", "N/A", "N/A")),
        ("\t1\t\tN/A", ("", "1", "N/A")),
        ("\t\tN/A\t\tN/A", ("", "N/A", "N/A")),
        ("0,2,4,6\t0\t\t1", ("0,2,4,6", "0", "1")),
        ("0-7\t0", ("0-7", "0", None)),
        ("0-7", ("0-7", None, None)),
        ("", ("", None, None)),
    ],
)
def test_affinities_of_one_card(row: str, tail: tuple[str | None, ...]) -> None:
    told = parse_matrix(f"\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \t{row}\n")
    assert told.cells == (("X",),)
    assert (told.cpu_affinity, told.numa_affinity, told.gpu_numa_id) == tuple(
        (cell,) for cell in tail
    )


@pytest.mark.parametrize(
    ("row", "cell", "tail"),
    [
        ("X     NV180-35    0    N/A", "NV18", ("0-35", "0", "N/A")),
        ("X     NV416-31    1    N/A", "NV4", ("16-31", "1", "N/A")),
        ("X     NODE0-55,112-167    0    N/A", "NODE", ("0-55,112-167", "0", "N/A")),
        ("X     PIX    0-55,112-1670    N/A", "PIX", ("0-55,112-167", "0", "N/A")),
        ("X     PIX    0-55,112-167    0N/A", "PIX", ("0-55,112-167", "0", "N/A")),
        ("XPIX    0-15N/A    N/A", "PIX", ("0-15", "N/A", "N/A")),
        ("X  PIX  0-15    N/A", "PIX", ("0-15", "N/A", None)),
        ("X  C2C  0-15  0  N/A", "C2C", ("0-15", "0", "N/A")),
    ],
)
def test_columns_run_together(row: str, cell: str, tail: tuple[str | None, ...]) -> None:
    told = parse_matrix(f"  GPU0 GPU1 CPU Affinity NUMA Affinity GPU NUMA ID\nGPU0 {row}\n")
    assert told.cells == (("X", cell), (cell, None))
    assert [told.cpu_affinity, told.numa_affinity, told.gpu_numa_id] == [
        (value, None) for value in tail
    ]


def test_cut_rows() -> None:
    text = "\tGPU0\tGPU1\tNIC0\tCPU Affinity\nGPU0\t X \tPIX\tPHB\t0-7\nGPU1\tPIX\n"
    told = parse_matrix(text)
    assert told.cells == (("X", "PIX"), ("PIX", None))
    assert told.nics == {"NIC0": ("PHB", None)}
    assert told.cpu_affinity == ("0-7", None)


def test_a_card_that_is_missing_keeps_the_others_numbers() -> None:
    text = "\tGPU0\tGPU2\tGPU10\nGPU0\t X \tPHB\tSYS\nGPU2\tPHB\t X \tNV2\nGPU10\tSYS\tNV2\t X \n"
    told = parse_matrix(text)
    assert told.gpus == (0, 2, 10)
    assert read_pairs(told, Matrix()) == (
        NvmlPair(0, 2, ancestor=30, nvlinks=0),
        NvmlPair(0, 10, ancestor=50, nvlinks=0),
        NvmlPair(2, 10, nvlinks=2),  # NV# hides the path
    )


P2P = """\
 \tGPU0\tGPU1\tGPU2\t
 GPU0\tX\tOK\tCNS\t
 GPU1\tOK\tX\tGNS\t
 GPU2\tCNS\tGNS\tX\t

Legend:

  X    = Self
  OK   = Status Ok
"""


@pytest.mark.parametrize("form", [P2P, P2P.expandtabs(8), re.sub(r"(?<=\w)\t(?=\w)", " ", P2P)])
def test_peer_to_peer(form: str) -> None:
    assert read_pairs(Matrix(), parse_matrix(form)) == (
        NvmlPair(0, 1, p2p=0),
        NvmlPair(0, 2, p2p=1),
        NvmlPair(1, 2, p2p=2),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\x1b[4m",
        "Invalid combination of input arguments. Please run 'nvidia-smi topo -h' for help.\n",
        "Failed to initialize NVML: Driver/library version mismatch\n",
        "GPU0 is lost\n",
        "GPU 0: NVIDIA L4 (UUID: GPU-1)\n",
        "\tGPU0\tGPU1\tCPU Affinity\n",
        "\tGPU0\tGPU1\tCPU Affinity\nGPU0\tPIX\tPIX\t0-3\n",  # no X in its own column
        "\tGPU0\tGPU0\tCPU Affinity\nGPU0\tX\tX\t0-3\n",
        LEGEND,
    ],
)
def test_no_matrix(text: str) -> None:
    assert parse_matrix(text) == Matrix()


CELLS = st.sampled_from(["PIX", "PXB", "PHB", "NODE", "SYS", "NV1", "NV4", "NV12", "NV18"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_matrix_in_any_form(data: st.DataObject) -> None:
    """Tabs, spaces, and spaces with a column lost at a terminal's edge tell the same."""
    count, nics = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 12))
    names = [f"GPU{at}" for at in range(count)] + [f"NIC{at}" for at in range(nics)]
    way = {(a, b): data.draw(CELLS) for a in range(len(names)) for b in range(a + 1, len(names))}
    rows = [
        [" X " if a == b else way[min(a, b), max(a, b)] for b in range(len(names))]
        for a in range(len(names))
    ]
    header = "\t" + "\t".join([*names, "CPU Affinity", "NUMA Affinity", "GPU NUMA ID"]) + "\n"
    text = header + "".join(
        f"{name}\t"
        + "\t".join(row)
        + ("\t0-63,128-191\t0\t\tN/A\n" if name[0] == "G" else "\t\t\t\t\n")
        for name, row in zip(names, rows, strict=True)
    )
    told = parse_matrix(text)
    assert told.cells == tuple(tuple(c.strip() for c in row[:count]) for row in rows[:count])
    assert told.numa_affinity == ("0",) * count
    assert set(told.nics) == set(names[count:])
    assert parse_matrix(text.expandtabs(8)) == told
    edge = 8 * data.draw(st.integers(2, len(names) + 1))
    assert parse_matrix(fused(text, edge)) == told


def test_a_card_whose_name_begins_with_gpu_is_no_gpu() -> None:
    told = parse_matrix("\tGPU0\tGPUA1\tCPU Affinity\nGPU0\t X \tPIX\t0-7\nGPUA1\tPIX\t X \t\n")
    assert (told.gpus, told.cells, told.cpu_affinity) == ((0,), (("X",),), ("0-7",))
    assert told.nics == {"GPUA1": ("PIX",)}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_ends_in_a_traceback(data: st.DataObject) -> None:
    text = PAIRS + LEGEND
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    told = parse_matrix(text[:start] + data.draw(st.text(max_size=20)) + text[end:])
    assert all(len(row) == len(told.gpus) for row in told.cells)
    read_pairs(told, told)
