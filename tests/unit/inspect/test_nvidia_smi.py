from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provision.host.inspect.nvidia.answers import NvmlAnswers, NvmlLink, NvmlPair
from provision.host.inspect.nvidia.smi import ask_nvidia_smi
from provision.host.inspect.nvidia.smi.nvlink import parse_links, parse_remotes, with_remotes
from provision.host.inspect.nvidia.smi.table import FULL, parse_table
from provision.host.inspect.source import Source
from provision.host.quantity import CpuSet
from provision.host.run import Ran

MIB = 1 << 20
CELLS = {
    "index": ["0", "1"],
    "uuid": ["GPU-aa", "GPU-bb"],
    "pci.bus_id": ["00000000:17:00.0", "00000000:65:00.0"],
    "name": ["NVIDIA RTX A6000", "NVIDIA RTX A6000"],
    "driver_version": ["550.54.15", "550.54.15"],
    "compute_cap": ["8.6", "[N/A]"],
    "memory.total": ["49140", "[Not Supported]"],
    "memory.used": ["12", "[Unknown Error]"],
    "power.limit": ["300.00", "[N/A]"],
    "enforced.power.limit": ["280.00", "[N/A]"],
    "power.draw": ["21.75", "[GPU is lost]"],
    "persistence_mode": ["Enabled", "Disabled"],
    "compute_mode": ["Default", "Exclusive_Process"],
    "temperature.gpu": ["31", "-3"],
    "clocks_event_reasons.active": ["0x0000000000000005", "Not Active"],
    "pcie.link.width.current": ["8", "16"],
    "ecc.mode.current": ["Disabled", "[N/A]"],
    "remapped_rows.pending": ["No", "[N/A]"],
    "gpu_recovery_action": ["None", "[Requested functionality has been deprecated]"],
}
DETAILS = """
Driver Version                      : 550.54.15
CUDA Version                        : 12.4

Attached GPUs                       : 2
GPU 00000000:17:00.0
    Product Name                    : NVIDIA RTX A6000
    GPU UUID                        : GPU-aa
    FB Memory Usage
        Total                       : 49140 MiB
GPU 00000000:65:00.0
    Product Name                    : NVIDIA RTX A6000
    GPU UUID                        : GPU-bb
    FB Memory Usage
        Total                       : 49140 MiB
"""
TOPOLOGY = (
    "\t\x1b[4mGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n"
    "GPU0\t X \tNV4\t0-15\t0\t\tN/A\nGPU1\tNV4\t X \t16-31\t1,3-4\t\t2\n"
)
P2P = " \tGPU0\tGPU1\t\n GPU0\tX\tGNS\t\n GPU1\tGNS\tX\t\n"
LINKS = (
    "GPU 0: NVIDIA RTX A6000 (UUID: GPU-aa)\n"
    "\t Link 0: 14.062 GB/s\n\t Link 1: <inactive>\n\t Link 2: 14.062 GB/s\n"
    "GPU 1: NVIDIA RTX A6000 (UUID: GPU-bb)\n"
    "NVML: Unable to retrieve NVLink information as all links are inActive\n"
)
REMOTES = (
    "GPU 0: NVIDIA RTX A6000 (UUID: GPU-aa)\n"
    "\t Link 0: Remote Device 00000000:65:00.0: Link 2\n"
    "\t Link 1: Remote Device 00000000:65:00.0: Link 3\n"
)


@dataclass(frozen=True)
class Smi(Source):
    """A host whose nvidia-smi answers from a table; the cells are the fields that it knows."""

    said: Mapping[str, str | Ran] = field(default_factory=dict)
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program == "nvidia-smi" else None

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        del timeout
        words = " ".join(argv[1:])
        self.asked.append(words)
        if words.startswith("--query-gpu=") and self.cells:
            fields = words.split()[0].removeprefix("--query-gpu=").split(",")
            unknown = [one for one in fields if one not in self.cells]
            if unknown:
                told = f'Field "{unknown[0]}" is not a valid field to query.\n\n'
                return Ran(tuple(argv), 2, told, "")
            rows = zip(*(self.cells[one] for one in fields), strict=True)
            return Ran(tuple(argv), 0, "".join(", ".join(row) + "\n" for row in rows), "")
        answer = self.said.get(words, "Invalid combination of input arguments.\n")
        if isinstance(answer, Ran):
            return answer
        return Ran(tuple(argv), 0 if words in self.said else 1, answer, "")


def test_all_of_it_together() -> None:
    said = {"-q": DETAILS, "topo -m": TOPOLOGY, "topo -p2p r": P2P}
    host = Smi(said={**said, "nvlink -s": LINKS, "nvlink -R": REMOTES}, cells=CELLS)
    answers = ask_nvidia_smi(host)
    assert answers is not None
    assert (answers.version, answers.cuda) == ("550.54.15", "12.4")
    assert (answers.problem, answers.lost) == (None, ())
    one, two = answers.gpus
    assert (one.uuid, one.capability, one.memory_bytes) == ("GPU-aa", "8.6", 49140 * MIB)
    assert (one.cpu_affinity, one.node_affinity) == (CpuSet.parse("0-15"), CpuSet.parse("0"))
    assert one.memory_node is None
    assert (two.node_affinity, two.memory_node) == (CpuSet.parse("1,3-4"), 2)
    assert one.links == (
        NvmlLink(0, active=True, kind=0, remote="00000000:65:00.0"),
        NvmlLink(1, active=False),
        NvmlLink(2, active=True, kind=0, remote="00000000:65:00.0"),
    )
    assert two.links == ()
    assert answers.pairs == (NvmlPair(0, 1, p2p=2, nvlinks=4),)
    assert sum("--query-gpu" in words for words in host.asked) == 1


def test_the_table_alone_on_a_driver_that_knows_few_fields() -> None:
    host = Smi(cells=CELLS)
    answers = ask_nvidia_smi(host)
    assert answers is not None
    one, two = answers.gpus
    assert answers.version == "550.54.15"
    assert (one.index, one.uuid, one.bus) == (0, "GPU-aa", "00000000:17:00.0")
    assert (one.capability, one.memory_bytes, one.used_bytes) == ("8.6", 49140 * MIB, 12 * MIB)
    assert (one.power_limit, one.power_enforced, one.power_draw) == (300000, 280000, 21750)
    assert (one.persistence, one.compute_mode, one.temperature) == (True, 0, 31)
    assert (one.throttle, one.pcie_width, one.ecc) == (5, 8, False)
    assert (one.remapping_pending, one.recovery_action, one.mig) == (False, 0, None)
    assert (two.persistence, two.compute_mode, two.temperature) == (False, 3, -3)
    assert two.capability is None
    assert two.memory_bytes is two.used_bytes is two.power_limit is None
    assert two.power_draw is two.throttle is two.recovery_action is None
    queries = [words for words in host.asked if "--query-gpu" in words]
    assert len(queries) == len(set(queries)) == 1 + len(set(FULL) - set(CELLS))


def test_a_refusal_of_no_field_of_ours_ends_the_asking() -> None:
    refusal = Ran((), 2, 'Field "other" is not a valid field to query.', "")
    query = f"--query-gpu={','.join(FULL)} --format=csv,noheader,nounits"
    host = Smi(said={query: refusal})
    assert ask_nvidia_smi(host) is None
    assert sum("--query-gpu" in words for words in host.asked) == 1


def test_a_lost_gpu_leaves_a_gap_in_the_numbers() -> None:
    sentence = "Unable to determine the device handle for GPU0: 0000:03:00.0: Unknown Error\n"
    cells = {name: CELLS[name] for name in ("uuid", "pci.bus_id", "compute_cap")}
    topology = TOPOLOGY.replace("GPU1", "GPU2").replace("GPU0", "GPU1")
    host = Smi(
        said={"-q": Ran((), 255, DETAILS, sentence), "topo -m": Ran((), 255, topology, sentence)},
        cells={"index": ["1", "2"], **cells},
    )
    answers = ask_nvidia_smi(host)
    assert answers is not None
    assert answers.lost == ("GPU 0 (0000:03:00.0): Unknown Error",)
    assert [(gpu.index, gpu.uuid) for gpu in answers.gpus] == [(1, "GPU-aa"), (2, "GPU-bb")]
    assert answers.pairs == (NvmlPair(1, 2, nvlinks=4),)
    assert answers.gpus[1].memory_node == 2


def test_details_that_end_at_a_lost_gpu() -> None:
    first = DETAILS.partition("GPU 00000000:65")[0]
    lost = "Unable to determine the device handle for gpu 0000:40:00.0: GPU is lost.  Reboot\n"
    answers = ask_nvidia_smi(Smi(said={"-q": Ran((), 15, first + lost, "")}, cells=CELLS))
    assert answers is not None
    assert answers.lost == ("GPU 0000:40:00.0: GPU is lost.  Reboot",)
    assert [gpu.uuid for gpu in answers.gpus] == ["GPU-aa", "GPU-bb"]
    assert answers.gpus[1].persistence is False  # told by the table


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("GPU0000:25:00.0: Unknown Error", "GPU 0000:25:00.0: Unknown Error"),
        ("GPU 0000:04:00.0: Not Found", "GPU 0000:04:00.0: Not Found"),
        ("GPU12: Unknown Error", "GPU 12: Unknown Error"),
        ("GPU3: 0000:5F:00.0: Unknown Error", "GPU 3 (0000:5f:00.0): Unknown Error"),
    ],
)
def test_nothing_but_lost_gpus(sentence: str, told: str) -> None:
    line = f"Unable to determine the device handle for {sentence}\n"
    host = Smi(said={"-q": Ran((), 255, line, ""), "-L": Ran((), 255, line, "")})
    assert ask_nvidia_smi(host) == NvmlAnswers(lost=(told,))


@pytest.mark.parametrize(
    "ran",
    [
        Ran((), 9, "NVIDIA-SMI has failed because it couldn't communicate with the driver.\n", ""),
        Ran((), 18, "", "Failed to initialize NVML: Driver/library version mismatch\n"),
        Ran((), 124, "", "no end within 60 s"),
        Ran((), 126, "", "Exec format error"),
    ],
)
def test_no_driver_behind_it_is_asked_once(ran: Ran) -> None:
    host = Smi(said={"-q": ran}, cells=CELLS)
    assert ask_nvidia_smi(host) is None
    assert host.asked == ["-q"]


def test_no_devices() -> None:
    none = Ran((), 6, "No devices were found\n", "")
    assert ask_nvidia_smi(Smi(said={"-q": none, "-L": none})) is None


def test_no_program(tmp_path: Path) -> None:
    assert ask_nvidia_smi(Source(tmp_path)) is None


def test_a_table_with_its_header_and_units() -> None:
    text = (
        "name, uuid, memory.total [MiB], power.draw [W], pcie.link.gen.max\r\n"
        "Tesla T4, GPU-cc, 15360 MiB, 9.50 W, 3\r\n"
    )
    (gpu,) = parse_table(text).gpus
    assert (gpu.uuid, gpu.name, gpu.memory_bytes) == ("GPU-cc", "Tesla T4", 15360 * MIB)
    assert (gpu.power_draw, gpu.pcie_generation_max, gpu.bus) == (9500, 3, None)


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a,b\n", "\0", ",\n" * 9])
def test_no_table(text: str) -> None:
    assert parse_table(text) == NvmlAnswers()


def test_links() -> None:
    text = (
        "GPU 0: Tesla V100-SXM2-16GB (UUID: GPU-aa)\n"
        "\t Link 0: 25.781 GB/s\n\t Link 5: <inactive>\n\t Link 6: N/A\n"
        "GPU 1: NVIDIA L4 (UUID: GPU-bb)\nDevice does not have or support Nvlink\n"
        "GPU 2: NVIDIA H100 (UUID: GPU-cc)\n"
        "Nvlink queries are not supported for Devices in MIG mode\n"
    )
    assert parse_links(text) == {
        0: (NvmlLink(0, active=True), NvmlLink(5, active=False), NvmlLink(6)),
        1: (),
    }
    assert parse_links("Failed to initialize NVML: Unknown Error\n") == {}


def test_more_links_to_peers_than_there_are_lead_through_a_switch() -> None:
    links = {at: tuple(NvmlLink(link, active=True) for link in range(2)) for at in range(3)}
    told = with_remotes(links, {(0, 0): "00000007:00:00.0"}, frozenset(), dict.fromkeys(links, 4))
    assert told[0][0] == NvmlLink(0, active=True, kind=2, remote="00000007:00:00.0")
    assert {link.kind for own in told.values() for link in own} == {2}
    bridged = with_remotes(links, {}, frozenset(), dict.fromkeys(links, 2))
    assert {link.kind for own in bridged.values() for link in own} == {None}


def test_remotes_by_link_or_by_active_link() -> None:
    links = {0: tuple(NvmlLink(at, active=at != 1) for at in range(3))}
    for numbers, ends in (
        ((0, 2), ["a", None, "b"]),
        ((0, 1), ["a", None, "b"]),
        ((5,), [None] * 3),
    ):
        remotes = dict(zip(((0, one) for one in numbers), "ab", strict=False))
        told = with_remotes(links, remotes, frozenset(), {})
        assert [link.remote for link in told[0]] == ends
    assert parse_remotes(REMOTES)[0, 1] == "00000000:65:00.0"
