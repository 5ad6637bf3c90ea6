"""Machines to be drawn, as inspection would describe them. Written by hand, none is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

from provision.engines.launch import Launch, LaunchGpu, Pin
from provision.host.facts import (
    CoreKind,
    Cpu,
    Driver,
    Facts,
    Finding,
    Gpu,
    GpuLink,
    MigDevice,
    Nic,
    NumaNode,
    NvLink,
    PciBridge,
    PciDevice,
    PcieLink,
    Stable,
    System,
)
from provision.host.quantity import CpuSet, PciAddress
from provision.plan.plan import Plan

GEN4, GEN5 = PcieLink(16.0, 16, 16), PcieLink(32.0, 16, 16)


def at(text: str) -> PciAddress:
    return PciAddress.parse(text)


def cpus(text: str) -> CpuSet:
    return CpuSet.parse(text)


def cpu(
    sockets: int, cores: int, threads: int = 2, cache: int | None = None, model: str = "A CPU"
) -> Cpu:
    """Cores of all sockets first, then their siblings. cache: cores that share one, by number."""
    total = sockets * cores
    siblings = [CpuSet.of(range(core, total * threads, total)) for core in range(total)]
    share = cache or cores

    def together(each: int) -> tuple[CpuSet, ...]:
        return tuple(
            CpuSet.of(cpu for core in siblings[first : first + each] for cpu in core)
            for first in range(0, total, each)
        )

    return Cpu(
        model=model,
        online=CpuSet.of(range(total * threads)),
        sockets=sockets,
        cores=tuple(siblings),
        packages=together(cores),
        caches=together(share),
    )


def nodes(of: Cpu, number: int, memory_mib: int, far: int = 32, near: int = 12) -> list[NumaNode]:
    """Equal nodes over the cores of a CPU, with distances as firmware tells them."""
    each = len(of.cores) // number
    a_socket = max(1, number // (of.sockets or 1))
    found = []
    for node in range(number):
        mine = of.cores[node * each : (node + 1) * each]
        distances = {
            other: 10 if other == node else near if other // a_socket == node // a_socket else far
            for other in range(number)
        }
        held = CpuSet.of(cpu for core in mine for cpu in core)
        found.append(NumaNode(node, held, memory_mib, distances, node))
    return found


def gpu(index: int, address: str, name: str, memory_mib: int, node: int | None = 0) -> Gpu:
    uuid = f"GPU-{index:08x}-0000-4000-8000-{index:012x}"
    return Gpu(
        index, uuid, at(address), name=name, memory_mib=memory_mib, numa_node=node, link=GEN4
    )


def card(one: Gpu, root: str, bridges: Sequence[str] = ()) -> PciDevice:
    above = tuple(map(at, bridges))
    return PciDevice(
        one.address, "10de", "0000", "0302", "nvidia", root=root, bridges=above, link=one.link
    )


def links(
    gpus: Sequence[Gpu], nvlinks: int | None = None, xgmi: int | None = None
) -> list[GpuLink]:
    return [GpuLink(a.uuid, b.uuid, "SYS", nvlinks, xgmi) for a, b in combinations(gpus, 2)]


def machine(
    name: str,
    product: str,
    of: Cpu,
    numa: Sequence[NumaNode],
    gpus: Sequence[Gpu] = (),
    cards: Sequence[PciDevice] = (),
    nics: Sequence[Nic] = (),
    bridges: Sequence[PciBridge] = (),
    gpu_links: Sequence[GpuLink] = (),
    nvswitches: Sequence[PciDevice] = (),
    findings: Sequence[Finding] = (),
    driver: Driver | None = None,
) -> Facts:
    total = sum(node.memory_mib or 0 for node in numa)
    system = System(
        name,
        kernel="6.8.0-60-generic",
        pretty_name="Ubuntu 24.04.2 LTS",
        product=product,
        memory_mib=total,
    )
    stable = Stable(
        system,
        cpu=of,
        numa_nodes=tuple(numa),
        accelerators=tuple(cards),
        nics=tuple(nics),
        bridges=tuple(bridges),
        gpus=tuple(gpus),
        gpu_links=tuple(gpu_links),
        nvswitches=tuple(nvswitches),
        drivers=(driver or Driver("nvidia", "580.95.05", cuda="13.0"),),
    )
    return Facts(Facts.VERSION, stable, findings=tuple(findings))


def dgx() -> Facts:
    """Eight GPUs through four NVSwitches, ten network cards, a PCIe switch for each GPU."""
    of = cpu(2, 56, model="Intel(R) Xeon(R) Platinum 8480C")
    gpus, cards, nics, bridges = [], [], [], []
    for index in range(8):
        root = f"pci{index:04x}:16"
        up, port = f"{index:04x}:17:00.0", f"{index:04x}:18:00.0"
        one = gpu(index, f"{index:04x}:1b:00.0", "NVIDIA H100 80GB HBM3", 81559, index // 4)
        nvlinks = tuple(
            NvLink(link, not (index == 6 and link == 17), 4, "switch") for link in range(18)
        )
        one = Gpu(
            one.index,
            one.uuid,
            one.address,
            name=one.name,
            memory_mib=one.memory_mib,
            numa_node=one.numa_node,
            link=GEN5,
            nvlinks=nvlinks,
        )
        gpus.append(one)
        cards.append(card(one, root, (up, port)))
        ways = [(f"{index:04x}:1c:00.0", f"mlx5_{index}")]
        if index in (0, 4):
            ways.append((f"{index:04x}:1d:00.0", f"mlx5_{8 + index // 4}"))
        for address, name in ways:
            nics.append(
                Nic(
                    at(address),
                    "15b3",
                    "1021",
                    "0207",
                    (f"ib{name[5:]}",),
                    (name,),
                    "ConnectX-7",
                    numa_node=index // 4,
                    link=GEN5,
                    root=root,
                    bridges=(at(up), at(address.replace(":1", ":2"))),
                )
            )
        bridges.append(PciBridge(at(up), kind="upstream", link=GEN5))
    findings = [
        Finding(
            "nvlink-down",
            "warning",
            "GPU 6 has 17 of 18 NVLinks",
            "its share of all-reduce is slower, and so is every tensor-parallel step",
            subjects=(gpus[6].uuid,),
        ),
        Finding(
            "link-width",
            "warning",
            "mlx5_3 (0003:1c:00.0) runs at x8 of x16",
            "it moves half of what it could",
            subjects=("0003:1c:00.0",),
        ),
        Finding("numa-balancing", "note", "kernel.numa_balancing is 1", "pins are worked against"),
    ]
    switches = [PciDevice(at(f"0008:0{n}:00.0"), "10de", "22a3", "0680") for n in range(4)]
    return machine(
        "dgx-1",
        "NVIDIA DGXH100",
        of,
        nodes(of, 2, 1031798, 21),
        gpus,
        cards,
        nics,
        bridges,
        links(gpus, 18),
        switches,
        findings,
    )


def a100_nps4() -> Facts:
    """Eight nodes, GPUs on four of them, two GPUs and two network cards below each switch."""
    of = cpu(2, 64, cache=4, model="AMD EPYC 7742 64-Core Processor")
    gpus, cards, nics, bridges = [], [], [], []
    for index in range(8):
        pair = index // 2
        node = (3, 1, 7, 5)[pair]
        root, up = f"pci0000:{pair * 0x40:02x}", f"0000:{pair * 0x40 + 1:02x}:00.0"
        bus = pair * 0x40 + 7 + index % 2 * 8
        one = gpu(index, f"0000:{bus:02x}:00.0", "NVIDIA A100-SXM4-80GB", 81920, node)
        gpus.append(one)
        cards.append(card(one, root, (up, f"0000:{bus - 1:02x}:00.0")))
        nics.append(
            Nic(
                at(f"0000:{bus + 2:02x}:00.0"),
                "15b3",
                "101b",
                "0207",
                (f"ib{index}",),
                (f"mlx5_{index}",),
                numa_node=node,
                link=GEN4,
                root=root,
                bridges=(at(up), at(f"0000:{bus + 1:02x}:00.0")),
            )
        )
        if index % 2 == 0:
            bridges.append(PciBridge(at(up), kind="upstream", link=GEN4))
    return machine(
        "dgxa100",
        "NVIDIA DGXA100 920-23687-2530-000",
        of,
        nodes(of, 8, 257925),
        gpus,
        cards,
        nics,
        bridges,
        links(gpus, 12),
    )


def mi300x() -> Facts:
    """Eight GPUs, each joined to each."""
    of = cpu(2, 48, cache=8, model="AMD EPYC 9474F 48-Core Processor")
    gpus, cards = [], []
    for index in range(8):
        base = gpu(index, f"{index // 4:04x}:{index * 0x20 + 5:02x}:00.0", "", 0)
        one = Gpu(
            index,
            base.uuid,
            base.address,
            "amd",
            "AMD Instinct MI300X",
            memory_mib=196592,
            numa_node=index // 4,
            link=GEN5,
            xgmi_hive="0x1234",
            partition="SPX",
        )
        gpus.append(one)
        cards.append(card(one, f"pci{index:04x}:00"))
    return machine(
        "mi300-1",
        "Supermicro AS -8125GS-TNMR2",
        of,
        nodes(of, 2, 1160000),
        gpus,
        cards,
        gpu_links=links(gpus, None, 1),
        driver=Driver("amd", "6.10.5", cuda="6.3"),
    )


def gb200() -> Facts:
    """34 nodes: two processors, four GPUs' memories, the rest empty."""
    of = cpu(2, 72, threads=1, model="Neoverse-V2")
    numa = nodes(of, 2, 490000, 40)
    gpus = []
    for index in range(4):
        base = gpu(index, f"{8 + index:04x}:01:00.0", "NVIDIA GB200", 189471, index // 2)
        gpus.append(
            Gpu(
                index,
                base.uuid,
                base.address,
                name=base.name,
                memory_mib=base.memory_mib,
                numa_node=index // 2,
                memory_node=2 + 8 * index,
                nvlinks=tuple(NvLink(link, True, 5, "switch") for link in range(18)),
            )
        )
    held = {one.memory_node: one.numa_node for one in gpus}
    for number in range(2, 34):
        numa.append(
            NumaNode(
                number,
                CpuSet(),
                188416 if number in held else 0,
                {number: 10, 0: 80, 1: 80},
                held.get(number, 0),
            )
        )
    return machine("gb200-1", "NVIDIA GB200 NVL", of, numa, gpus, gpu_links=links(gpus, 18))


def bridged() -> Facts:
    """Four cards on two sockets, NVLink bridges on two pairs, one card in a narrow slot."""
    of = cpu(2, 16, model="Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz")
    gpus = [
        gpu(n, f"0000:{bus}:00.0", "NVIDIA GeForce RTX 3090", 24576, n // 2)
        for n, bus in enumerate(("18", "3b", "86", "af"))
    ]
    gpus[3] = Gpu(
        3,
        gpus[3].uuid,
        gpus[3].address,
        name=gpus[3].name,
        memory_mib=24576,
        numa_node=1,
        link=PcieLink(16.0, 4, 16),
    )
    cards = [card(one, f"pci0000:{17 + n:02x}") for n, one in enumerate(gpus)]
    joined = [
        GpuLink(a.uuid, b.uuid, "SYS", 4 if a.index // 2 == b.index // 2 else None)
        for a, b in combinations(gpus, 2)
    ]
    nics = [
        Nic(at("0000:19:00.0"), "8086", "1563", "0200", ("eno1",), root="pci0000:17", numa_node=0)
    ]
    narrow = Finding(
        "link-width",
        "warning",
        "GPU 3 (0000:af:00.0) runs at x4 of x16",
        "models load four times slower",
        subjects=(gpus[3].uuid, "0000:af:00.0"),
    )
    return machine(
        "rig",
        "Supermicro SYS-740GP-TNRT",
        of,
        nodes(of, 2, 193000, 21),
        gpus,
        cards,
        nics,
        gpu_links=joined,
        findings=[narrow],
    )


def crossed() -> Facts:
    """Eight GPUs in a hybrid cube mesh: one or two links to four others each."""
    of = cpu(2, 20)
    gpus = [
        gpu(n, f"0000:{16 * n + 6:02x}:00.0", "Tesla V100-SXM2-32GB", 32768, n // 4)
        for n in range(8)
    ]
    pairs = {
        (0, 1): 1,
        (0, 2): 1,
        (0, 3): 2,
        (0, 4): 2,
        (1, 2): 2,
        (1, 3): 1,
        (1, 5): 2,
        (2, 3): 2,
        (2, 6): 1,
        (3, 7): 1,
        (4, 5): 1,
        (4, 6): 1,
        (4, 7): 2,
        (5, 6): 2,
        (5, 7): 1,
        (6, 7): 2,
    }
    joined = [GpuLink(gpus[a].uuid, gpus[b].uuid, "SYS", n) for (a, b), n in pairs.items()]
    return machine("dgx1v", "DGX-1", of, nodes(of, 2, 257000, 21), gpus, gpu_links=joined)


def sliced() -> Facts:
    """Two GPUs in slices, and a card that no driver serves."""
    of = cpu(1, 32, cache=8, model="AMD EPYC 7513 32-Core Processor")
    gpus = []
    for index in range(2):
        base = gpu(index, f"0000:{0x41 + 0x40 * index:02x}:00.0", "NVIDIA H100 PCIe", 81559)
        shapes = (("3g.40gb", 40320), ("2g.20gb", 20096), ("1g.10gb+me", 9984), ("1g.10gb", 9984))
        gpus.append(
            Gpu(
                index,
                base.uuid,
                base.address,
                name=base.name,
                memory_mib=81559,
                numa_node=0,
                link=GEN5,
                mig=True,
                mig_devices=tuple(
                    MigDevice(f"MIG-{index}-{n}", shape, memory)
                    for n, (shape, memory) in enumerate(shapes[: 4 - index])
                ),
            )
        )
    lost = PciDevice(
        at("0000:c1:00.0"),
        "10de",
        "2331",
        "0302",
        "nvidia",
        name="GH100 [H100 PCIe]",
        numa_node=0,
        root="pci0000:c0",
        link=GEN5,
        answers=False,
    )
    gone = Finding(
        "gpu-lost",
        "error",
        "0000:c1:00.0 does not answer",
        "it fell off the bus",
        subjects=("0000:c1:00.0",),
    )
    return machine(
        "mig-1",
        "Gigabyte G292",
        of,
        nodes(of, 1, 515000),
        gpus,
        [card(gpus[0], "pci0000:40"), card(gpus[1], "pci0000:80"), lost],
        findings=[gone],
    )


def sixteen() -> Facts:
    """Sixteen GPUs below nested switches."""
    of = cpu(2, 48, cache=6)
    gpus, cards, bridges = [], [], []
    for index in range(16):
        socket, half = index // 8, index // 4
        root = f"pci000{socket}:00"
        outer, inner = f"000{socket}:01:00.0", f"000{half}:1{half}:00.0"
        base = gpu(index, f"000{half}:2{index % 4}:00.0", "NVIDIA L40S", 46068, socket)
        gpus.append(base)
        cards.append(card(base, root, (outer, inner)))
        if index % 8 == 0:
            bridges.append(PciBridge(at(outer), kind="upstream", link=GEN4))
        if index % 4 == 0:
            bridges.append(PciBridge(at(inner), kind="upstream", link=GEN4))
    return machine("sixteen", "A box", of, nodes(of, 2, 515000), gpus, cards, (), bridges)


def partitioned() -> Facts:
    """Eight GPUs as sixty-four partitions."""
    of = cpu(2, 96, cache=8)
    gpus = [
        Gpu(
            n,
            f"GPU-{n:016x}",
            at(f"000{n // 8}:05:00.{n % 8}"),
            "amd",
            "AMD Instinct MI300X",
            memory_mib=24574,
            numa_node=n // 32,
            partition="CPX",
        )
        for n in range(64)
    ]
    return machine("cpx", "A box", of, nodes(of, 2, 1160000), gpus, driver=Driver("amd", "6.10"))


def bare() -> Facts:
    """No GPU: four sockets, 256 CPUs with eight threads a core, sparse node numbers."""
    of = cpu(4, 8, threads=8, model="POWER9, altivec supported")
    numa = [
        NumaNode(
            number,
            of.packages[at_],
            261000,
            {other: 10 if other == number else 40 for other in (0, 8, 252, 255)},
            number,
        )
        for at_, number in enumerate((0, 8, 252, 255))
    ]
    return machine("power", "IBM 8335-GTH", of, numa, driver=Driver("nvidia"))


def many_nodes() -> Facts:
    """256 CPUs, two sockets, eight nodes, caches of eight cores, nothing on the bus."""
    of = cpu(2, 64, cache=8, model="AMD EPYC 9554 64-Core Processor")
    return machine("epyc", "Supermicro AS -2125HS-TNR", of, nodes(of, 8, 96000))


def laptop() -> Facts:
    """Two kinds of cores, a small GPU, one that is inside the processor, no NUMA folder."""
    strong = [CpuSet.of((2 * n, 2 * n + 1)) for n in range(6)]
    weak = [CpuSet.of((12 + n,)) for n in range(8)]
    of = Cpu(
        model="12th Gen Intel(R) Core(TM) i7-12700H",
        online=cpus("0-19"),
        sockets=1,
        cores=(*strong, *weak),
        kinds=(CoreKind("performance", cpus("0-11")), CoreKind("efficiency", cpus("12-19"))),
        packages=(cpus("0-19"),),
        caches=(cpus("0-19"),),
    )
    one = gpu(0, "0000:01:00.0", "NVIDIA GeForce RTX 3050 Laptop GPU", 4096)
    one = Gpu(0, one.uuid, one.address, name=one.name, memory_mib=4096, link=PcieLink(16.0, 8, 16))
    nic = Nic(at("0000:2e:00.0"), "10ec", "8168", "0200", ("enp46s0",), numa_node=None)
    return machine(
        "laptop", "LENOVO 82TB", of, [NumaNode(0, cpus("0-19"), 15800)], [one], (), [nic]
    )


def unknown() -> Facts:
    """Several nodes, and devices that tell none."""
    of = cpu(2, 8, threads=1)
    gpus = [gpu(n, f"0000:0{n + 1}:00.0", "NVIDIA GeForce RTX 4090", 24564, None) for n in range(3)]
    gpus[0] = gpu(0, "0000:01:00.0", "NVIDIA GeForce RTX 4090", 24564, 0)
    return machine("lost", "", of, nodes(of, 2, 64000), gpus)


def odd() -> Facts:
    """Memory of no socket, CPUs of two nodes, a GPU and a card below a node without CPUs."""
    of = cpu(2, 8, cache=1)
    numa = [
        NumaNode(0, of.packages[0], 64000, {0: 10}, 0),
        NumaNode(1, of.packages[1] | cpus("0"), None, {}, 1),
        NumaNode(2, CpuSet(), 512000, {0: 20, 1: 40, 2: 10}, None),
        NumaNode(3, CpuSet(), 512000, {0: 20, 1: 40, 3: 10}, 0),
        NumaNode(4, CpuSet(), 0, {}, None),
        NumaNode(70000, CpuSet(), 16000, {}, None),
    ]
    one = gpu(0, "10000:01:00.0", "NVIDIA L4", 23034, 2)
    nic = Nic(at("0000:02:00.0"), "8086", "1563", "0200", ("eno1",), numa_node=12345)
    return machine("odd", "A box", of, numa, [one], (), [nic])


def loose() -> Facts:
    """Two sockets, and memory that is of neither."""
    of = cpu(2, 8)
    numa = [*nodes(of, 2, 64000), NumaNode(2, CpuSet(), 256000), NumaNode(3, CpuSet(), 256000)]
    return machine("loose", "A box", of, numa)


def nothing() -> Facts:
    """A machine that tells its name alone."""
    return Facts(Facts.VERSION, Stable(System("nobody")))


def orphans() -> Facts:
    """GPUs, and neither processors nor nodes are told; every field that may be unknown is."""
    gpus = tuple(Gpu(n, f"GPU-{n}", at(f"0000:0{n}:00.0")) for n in range(2))
    return Facts(Facts.VERSION, Stable(System("orphans"), gpus=gpus))


def hostile() -> Facts:
    """Names that want to break out of the text."""
    of = cpu(1, 4)
    bad = "<script>alert('&\"]]>')</script>\x00\x1b[31m\u202e\ud800 " + "very long name " * 20
    one = gpu(0, "0000:01:00.0", bad, 24564)
    two = gpu(1, "0000:02:00.0", "W" * 300, 24564)
    nic = Nic(at("0000:03:00.0"), "10ec", "8168", "0200", ("\u202e<b>&", "e" * 80), numa_node=0)
    finding = Finding("<rule>&" * 9, "note", bad, bad * 3, bad, (one.uuid, bad))
    return machine(
        "<host>&\"'\x07" * 30,
        bad,
        of,
        nodes(of, 1, 64000),
        [one, two],
        (),
        [nic],
        (),
        links([one, two], 4),
        (),
        [finding],
    )


def sixteen_switched() -> Facts:
    """Sixteen GPUs, six links from each to the switches."""
    facts = sixteen()
    joined = tuple(links(facts.stable.gpus, 6))
    return replace(facts, stable=replace(facts.stable, gpu_links=joined))


def sixteen_bridged() -> Facts:
    """Sixteen GPUs, bridges between neighbours and one across the sockets."""
    facts = sixteen()
    gpus = facts.stable.gpus
    ends = [*((n, n + 1) for n in range(0, 16, 2)), (4, 8), (5, 10)]
    joined = tuple(GpuLink(gpus[a].uuid, gpus[b].uuid, "SYS", 4) for a, b in ends)
    return replace(facts, stable=replace(facts.stable, gpu_links=joined))


def launch(
    facts: Facts, name: str, gpus: Sequence[int | str], held: str, port: int, tensor: int = 1
) -> Launch:
    """An instance on these GPUs (by place among the facts, or by a slice's UUID) and CPUs."""
    chosen = tuple(
        LaunchGpu(one, at("0000:00:00.0"), 0)
        if isinstance(one, str)
        else LaunchGpu(facts.stable.gpus[one].uuid, facts.stable.gpus[one].address, one)
        for one in gpus
    )
    pin = Pin("systemd", cpus=cpus(held)) if held else Pin()
    return Launch(
        name,
        name,
        "vllm",
        "/opt/vllm/bin/vllm",
        ("a/model",),
        chosen,
        pin,
        port=port,
        tensor_parallel_size=tensor,
    )


def plan(*instances: Launch) -> Plan:
    return Plan(Plan.VERSION, "box", 255, "v2", "/usr/bin/python3", instances)


MACHINES: dict[str, Callable[[], Facts]] = {
    one.__name__: one
    for one in (
        dgx,
        a100_nps4,
        mi300x,
        gb200,
        bridged,
        crossed,
        sliced,
        sixteen,
        sixteen_switched,
        sixteen_bridged,
        partitioned,
        bare,
        many_nodes,
        laptop,
        unknown,
        odd,
        loose,
        nothing,
        orphans,
        hostile,
    )
}


def _dgx_planned() -> tuple[Facts, Plan]:
    facts = dgx()
    return facts, plan(
        launch(facts, "chat.0", [0, 1, 2, 3], "0-55,112-167", 8001, 4),
        launch(facts, "chat.1", [4, 5], "56-83,168-195", 8002, 2),
        launch(facts, "embed", [6], "84-97,196-209", 8003),
        launch(facts, "rerank", [6], "84-97,196-209", 8004),
    )


def _bridged_planned() -> tuple[Facts, Plan]:
    facts = bridged()
    return facts, plan(
        launch(facts, "large", [0, 1], "0-15,32-47", 8001, 2),
        launch(facts, "small.0", [2], "16-23,48-55", 8002),
        launch(facts, "small.1", [3], "24-31,56-63", 8003),
    )


def _sliced_planned() -> tuple[Facts, Plan]:
    facts = sliced()
    return facts, plan(
        launch(facts, "code", ["MIG-0-0"], "0-7,32-39", 8001),
        launch(facts, "chat", ["MIG-1-0"], "8-15,40-47", 8002),
        launch(facts, "draft", ["MIG-1-0"], "8-15,40-47", 8003),
        launch(facts, "cpu-alone", [], "16-31", 8004),
    )


def _crowded() -> tuple[Facts, Plan]:
    """More instances than colours, with long names, several on each GPU, none of them pinned."""
    facts = sixteen_switched()
    return facts, plan(
        *(
            launch(
                facts,
                f"{'instance-with-a-name-of-63-characters-' * 2}"[:60] + str(n),
                [n % 16, (n + 1) % 16],
                f"{2 * n}-{2 * n + 3}",
                8000 + n,
            )
            for n in range(24)
        )
    )


PLANS: dict[str, Callable[[], tuple[Facts, Plan]]] = {
    "dgx": _dgx_planned,
    "bridged": _bridged_planned,
    "sliced": _sliced_planned,
    "crowded": _crowded,
}
