from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provision.host.facts import Driver, GpuNow, GpuProcess
from provision.host.inspect.drm.amd import (
    highest_clock,
    partition_of,
    rocm_version,
    uncorrected_of,
    uuid_of,
)
from provision.host.inspect.gpus import GpusFound
from provision.host.quantity import PciAddress

from .amd_host import AmdHost, amd, mi300

ONE, TWO = "0000:05:00.0", "0000:65:00.0"


def test_a_gpu_of_a_data_centre(tmp_path: Path) -> None:
    # Given in the wrong order: index counts in PCI order.
    found = mi300(tmp_path).read(amd(TWO, 1), amd(ONE))
    assert found.driver == Driver("amd", "6.8.5", module="6.8.5", cuda="6.2.4", source="sysfs")
    assert found.complaints == ()
    first, second = found.gpus
    assert (first.index, str(first.address), first.numa_node) == (0, ONE, 0)
    assert (second.index, str(second.address), second.numa_node) == (1, TWO, 1)
    assert first.vendor == "amd"
    assert first.uuid == "GPU-21b6d61638a86f8c"
    assert (first.name, first.serial) == ("AMD Instinct MI300X OAM", "692334000")
    assert first.vbios == "113-M3000100-102"
    assert first.memory_mib == 196592
    assert first.compute_capability == "gfx942"
    assert (first.power_max_watts, first.power_default_watts) == (750, 750)
    assert first.power_min_watts is None  # 0 is what amdgpu writes for not told
    assert first.render_node == "/dev/dri/renderD128"
    assert (first.partition, first.integrated, first.ecc) == ("SPX", False, True)
    assert first.xgmi_hive == second.xgmi_hive == "0x0000000000000063"


def test_a_gpu_now(tmp_path: Path) -> None:
    found = mi300(tmp_path).read(amd(ONE))
    assert found.now == (
        GpuNow(
            uuid="GPU-21b6d61638a86f8c",
            memory_used_mib=300,
            power_limit_watts=700,
            power_draw_watts=142,
            temperature_c=41,  # of the junction: there is no sensor at the edge
            utilization_percent=7,
            clock_sm_mhz=132,
            clock_sm_max_mhz=2100,
            clock_memory_mhz=900,
            ecc_uncorrected=2,
        ),
    )


def test_a_consumers_card_has_the_name_of_pci_ids_and_an_address_for_a_uuid(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    host.card(ONE, mem_info_vram_total=str(24560 << 20), product_name="", unique_id="0")
    host.kfd_gpu(1, 0x0500, gfx=110000)
    host.kfd_cpus(0, 16)
    device = replace(amd(ONE), device_id="744c", name="Navi 31 [Radeon RX 7900 XTX]")
    found = host.read(device, replace(device, address=PciAddress.parse(TWO), name=None))
    assert [gpu.name for gpu in found.gpus] == ["AMD Radeon RX 7900 XTX", "AMD GPU 744c"]
    assert [gpu.uuid for gpu in found.gpus] == [f"PCI-{ONE}", f"PCI-{TWO}"]
    assert found.gpus[0].compute_capability == "gfx1100"
    assert found.gpus[0].render_node == "/dev/dri/renderD128"  # by KFD alone
    assert found.gpus[0].xgmi_hive is None
    assert found.gpus[0].ecc is None
    assert found.driver == Driver("amd", source="sysfs")  # a module of the kernel's own tree
    assert found.now[0] == GpuNow(found.gpus[0].uuid)


def test_two_gpus_of_one_id_are_told_apart(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    host.card(TWO, unique_id="21b6d61638a86f8c")
    assert [gpu.uuid for gpu in host.read(amd(ONE), amd(TWO)).gpus] == [f"PCI-{ONE}", f"PCI-{TWO}"]


def test_links_by_xgmi(tmp_path: Path) -> None:
    found = mi300(tmp_path).read(amd(ONE), amd(TWO), paths={(ONE, TWO): "SYS"})
    (link,) = found.links
    assert (link.a, link.b) == tuple(gpu.uuid for gpu in found.gpus)
    assert (link.path, link.xgmi, link.p2p, link.nvlinks) == ("SYS", 1, True, None)


def test_several_xgmi_links_by_their_bandwidth(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    for start, end in ((2, 3), (3, 2)):
        host.kfd_link(start, end, min_bandwidth=50000, max_bandwidth=200000)
    (link,) = host.read(amd(ONE), amd(TWO)).links
    assert (link.path, link.xgmi, link.p2p) == (None, 4, True)


def test_a_neighbour_over_another_gpu_has_no_direct_link(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    for start, end in ((2, 3), (3, 2)):
        host.kfd_link(start, end, weight=30, min_bandwidth=50000, max_bandwidth=0)
    (link,) = host.read(amd(ONE), amd(TWO)).links
    assert (link.xgmi, link.p2p) == (0, True)


@pytest.mark.parametrize(("flags", "works"), [(1, True), (0x11, False)])
def test_peers_over_pcie(tmp_path: Path, flags: int, works: bool) -> None:
    host = AmdHost(tmp_path)
    host.kfd_gpu(1, 0x0500)
    host.kfd_gpu(2, 0x6500)
    host.kfd_link(1, 2, peer=True, type=2, weight=72, flags=flags)
    host.kfd_link(2, 1, peer=True, type=2, weight=72, flags=1)
    (link,) = host.read(amd(ONE), amd(TWO), paths={(TWO, ONE): "PHB"}).links
    assert (link.path, link.xgmi, link.p2p) == ("PHB", 0, works)


def test_without_a_way_there_is_no_p2p_but_an_old_kernel_does_not_tell(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    host.kfd_gpu(1, 0x0500)
    host.kfd_gpu(2, 0x6500)
    host.kfd_link(1, 0, type=2, weight=20)
    assert host.read(amd(ONE), amd(TWO)).links[0].p2p is None
    host.no_peers(1)
    assert host.read(amd(ONE), amd(TWO)).links[0].p2p is False


def test_without_kfd_nothing_is_said_of_xgmi(tmp_path: Path) -> None:
    (link,) = AmdHost(tmp_path).read(amd(ONE), amd(TWO)).links
    assert (link.xgmi, link.p2p) == (None, None)


@pytest.mark.parametrize(
    "place", [lambda base, part: base | part << 28, lambda base, part: base | part]
)
def test_partitions_are_one_gpu(tmp_path: Path, place: Callable[[int, int], int]) -> None:
    # Where a partition's number stands in location_id depends on the kernel.
    host = AmdHost(tmp_path)
    for card, base in enumerate((0x0500, 0x6500)):
        address = (ONE, TWO)[card]
        host.card(address, mem_info_vram_total=str(196592 << 20), current_compute_partition="QPX")
        for part in range(4):
            number = 1 + card * 4 + part
            host.kfd_gpu(number, place(base, part), hive_id=7)
            for other in range(1, 9):
                if other != number:
                    host.kfd_link(number, other, min_bandwidth=64000, max_bandwidth=64000)
    host.file("/sys/class/kfd/kfd/proc/4711/vram_1001", f"{10 << 30}\n")
    host.file("/sys/class/kfd/kfd/proc/4711/vram_1004", f"{2 << 30}\n")
    found = host.read(amd(ONE), amd(TWO))
    assert [(gpu.partition, gpu.memory_mib) for gpu in found.gpus] == [("QPX", 196592)] * 2
    assert [(link.xgmi, link.p2p) for link in found.links] == [(1, True)]
    assert found.processes == (GpuProcess(f"PCI-{ONE}", 4711, 12288),)
    assert found.complaints == ()


def test_processes_hold_memory_where_it_is_not_zero(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    for pid, gpu_id, size in ((900, 1002, 1 << 30), (900, 1003, 0), (12, 1003, 5 << 20)):
        host.file(f"/sys/class/kfd/kfd/proc/{pid}/vram_{gpu_id}", f"{size}\n")
    host.file("/sys/class/kfd/kfd/proc/900/pasid", "32770\n")
    host.file("/sys/class/kfd/kfd/proc/900/vram_7", "4096\n")  # of no GPU that we know
    found = host.read(amd(ONE), amd(TWO))
    assert found.processes == (
        GpuProcess("GPU-21b6d61638a86f8c", 900, 1024),
        GpuProcess("GPU-21b6d61638a86f8d", 12, 5),
    )


def test_memory_by_kfds_banks(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    host.kfd_gpu(1, 0x0500)
    host.kfd_bank(1, 0, 1, 16 << 30)
    host.kfd_bank(1, 1, 2, 48 << 30)
    host.kfd_bank(1, 2, 0, 512 << 30)  # the host's
    assert host.read(amd(ONE)).gpus[0].memory_mib == 65536


def test_what_makes_a_gpu_integrated(tmp_path: Path) -> None:
    def integrated(name: str, vram_mib: int, **kfd: int) -> bool | None:
        host = AmdHost(tmp_path / name)
        host.card(ONE, mem_info_vram_total=str(vram_mib << 20))
        host.kfd_gpu(1, 0x0500, gfx=90012, **kfd)
        if name == "bridge":
            host.sensors(ONE, 0, in1_label="vddnb")
        return host.read(amd(ONE)).gpus[0].integrated

    assert integrated("node of CPUs too", 2048, cpu_cores_count=8) is True
    assert integrated("borrowed", 512) is True
    assert integrated("bridge", 98304) is True  # a generous share of the host's memory
    assert integrated("card", 8176) is False


def test_complaints_of_what_cannot_compute(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    host.kfd_cpus(0, 48)
    host.card(TWO, mem_info_vram_total=str(16 << 30))
    found = host.read(amd(ONE), amd(TWO))
    assert found.complaints == (
        f"AMD GPU 0 ({ONE}): amdgpu serves it, but KFD does not know it, so ROCm cannot use it",
        f"AMD GPU 0 ({ONE}): amdgpu serves it, but tells no memory",
        f"AMD GPU 1 ({TWO}): amdgpu serves it, but KFD does not know it, so ROCm cannot use it",
    )
    assert found.gpus[0].memory_mib is None


def test_nodes_that_are_hidden_from_a_container_prove_nothing(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    host.card(ONE, mem_info_vram_total=str(16 << 30))
    (tmp_path / "sys/class/kfd/kfd/topology/nodes/1").mkdir(parents=True)
    assert host.read(amd(ONE)).complaints == ()


def test_who_serves_the_card_decides(tmp_path: Path) -> None:
    host = AmdHost(tmp_path)
    assert host.read() == GpusFound()
    nobody = replace(amd(ONE), driver=None)
    assert host.read(nobody) == GpusFound(
        driver=Driver("amd", problem=f"amdgpu does not serve {ONE}")
    )
    assert host.read(replace(nobody, integrated=True)) == GpusFound()
    assert host.read(replace(amd(ONE), driver="vfio-pci")) == GpusFound()
    assert host.read(replace(amd(ONE), vendor="intel", driver="i915")) == GpusFound()


def test_rubbish_is_unknown(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            path.write_bytes(b"\xff\xfe" + b"9" * 6000)
    (gpu,) = host.read(amd(ONE)).gpus
    assert gpu.uuid == f"PCI-{ONE}"
    assert (gpu.memory_mib, gpu.compute_capability, gpu.power_max_watts) == (None, None, None)
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            path.write_text("-9\n")
    found = host.read(amd(ONE), amd(TWO))
    assert [gpu.memory_mib for gpu in found.gpus] == [None, None]
    assert replace(found.now[0], temperature_c=None) == GpuNow(found.gpus[0].uuid)


def test_the_newest_rocm_where_no_link_names_one(tmp_path: Path) -> None:
    host = mi300(tmp_path)
    host.file("/opt/rocm-6.10.0/.info/version", "6.10.0-5\n")
    host.file("/opt/rocm-6.4.1/.info/version", "6.4.1-83\n")
    told = host.read(amd(ONE)).driver
    assert told is not None
    assert told.cuda == "6.2.4"  # what /opt/rocm points at
    (tmp_path / "opt/rocm/.info/version").unlink()
    told = host.read(amd(ONE)).driver
    assert told is not None
    assert told.cuda == "6.10.0"


def test_texts() -> None:
    assert uuid_of("8c", None) == "GPU-000000000000008c"
    assert uuid_of("not told", 255) == "GPU-00000000000000ff"
    assert uuid_of("0000000000000000", None) is None
    assert rocm_version("7.0.0\n") == "7.0.0"
    assert rocm_version("unknown") is None
    assert partition_of("CPX") == "CPX"
    assert partition_of("UNKNOWN") is None
    assert highest_clock("S: 19Mhz *\n0: 500Mhz\n1: 2500Mhz\n") == 2500
    assert highest_clock("") is None
    assert uncorrected_of("ue: 0\nce: 3\n") == 0
    assert uncorrected_of("ce: 3\n") is None
