"""A plan made by hand, with figures and the whole reasoning: what the screens show."""

from __future__ import annotations

from dataclasses import replace

from provision.engines.launch import EngineName, Launch, LaunchGpu, Pin
from provision.host.quantity import CpuSet, PciAddress
from provision.plan.cost.speed import Band, Speed
from provision.plan.plan import Candidate, Explanation, Figures, PartLine, Plan, Reason

FAST = Speed(Band(20.4, 25.2), 8, Band(118.0, 161.0), Band(1910.0, 2420.0))
SMALL = Speed(Band(95.0, 115.0), 1, Band(95.0, 115.0), Band(3000.0, 4000.0))
SLOW = Speed(Band(14.0, 18.0), 8, Band(80.0, 110.0), Band(1500.0, 1900.0))


def gpu(index: int) -> LaunchGpu:
    return LaunchGpu(
        f"GPU-{index:08d}-0000-0000-0000-000000000000",
        PciAddress.parse(f"0000:{0x17 + index:02x}:00.0"),
        index,
        index // 2,
        "NVIDIA GeForce RTX 3090",
        24576,
    )


def launch(
    name: str, engine: EngineName, model: str, gpus: tuple[int, ...], cores: str, port: int
) -> Launch:
    nodes = tuple(sorted({one // 2 for one in gpus}))
    return Launch(
        name,
        name.partition(".")[0],
        engine,
        f"/usr/local/bin/{engine}",
        (model,),
        tuple(map(gpu, gpus)),
        Pin("systemd", nodes, CpuSet.parse(cores), "preferred"),
        port=port,
    )


CHAT = replace(
    launch("chat.0", "vllm", "casperhansen/llama-3.3-70b-instruct-awq", (0, 1), "2-15,34-47", 8000),
    tensor_parallel_size=2,
    context=8192,
)
SMALLS = tuple(
    launch(f"small.{at}", "ollama", "llama3.1:8b", (2 + at,), f"{17 + 7 * at}-{23 + 7 * at}", port)
    for at, port in ((0, 11434), (1, 11435))
)

WAYS = (
    Candidate(
        "one GPU",
        (0,),
        (gpu(0).uuid,),
        "",
        (41574,),
        (22118,),
        "impossible",
        "memory",
        "needs 40.6 GiB, GPU 0 has 21.6 GiB for it",
    ),
    Candidate(
        "tensor 2",
        (0, 1),
        (gpu(0).uuid, gpu(1).uuid),
        "joined by 4 NVLinks",
        (20890, 20787),
        (22118, 22118),
        "chosen",
        "fastest",
        "the fewest GPUs that hold it, and the faster of the two ways on them",
        8192,
        13100,
        FAST,
    ),
    Candidate(
        "pipeline 2",
        (0, 1),
        (gpu(0).uuid, gpu(1).uuid),
        "joined by 4 NVLinks",
        (20890, 20787),
        (22118, 22118),
        "lost",
        "slower",
        "14-18 tok/s for one stream against 20-25: its stages wait for each other, and no link"
        " between the cards is slow enough for that to pay",
        8192,
        13100,
        SLOW,
    ),
    Candidate(
        "tensor 4",
        (0, 1, 2, 3),
        tuple(gpu(at).uuid for at in range(4)),
        "across sockets, on PCIe 4.0 x16 without peer access",
        (10600,) * 4,
        (22118,) * 4,
        "lost",
        "more-gpus",
        "four GPUs where two hold it; all-reduces would cross the sockets",
        8192,
        90000,
        replace(FAST, assumed=True),
    ),
)

PLAN = Plan(
    version=1,
    host="gpu-box-1",
    systemd=252,
    cgroup="v2",
    python="/usr/bin/python3",
    instances=(CHAT, *SMALLS),
    reasons=(
        Reason("chat", "weights 37.1 GiB do not fit one card; on two, 4.0 GiB stay for the cache"),
        Reason("chat.0", "node 0, next to its GPUs: CPUs 2-15,34-47, memory preferred there"),
        Reason("small", "fits one card: a copy on each free card serves twice the users"),
    ),
    kept={"small.0": "runs on GPU 2 today", "small.1": "runs on GPU 3 today"},
    moved={"chat.0": "from GPUs 2 and 3 to GPUs 0 and 1, since a pair joined by NVLink is free"},
    figures={
        "chat.0": Figures((20890, 20787), (410, 410), (22118, 22118), 6144, 8192, 13100, FAST),
        "small.0": Figures((7578,), (200,), (24100,), 2048, 8192, None, SMALL),
        "small.1": Figures((7578,), (200,), (24100,), 2048, 8192, None, SMALL),
    },
    explanations=(
        Explanation(
            "chat",
            ("chat.0",),
            ("Llama-3.3-70B-Instruct in AWQ, 37.1 GiB +- 0.4, from the catalogue",),
            "latency",
            (
                PartLine("weights", 18995.0, 190.0, "half of 80 layers, a copy of the norms"),
                PartLine(
                    "kv-cache",
                    1280.0,
                    0.0,
                    "80 layers x 4 KV heads x 128 x 2 x 2 B x 8192 tokens, of one request of full"
                    " length; what is left becomes more of it",
                ),
                PartLine("cuda-context", 615.0, 220.0),
            ),
            (PartLine("prompt-cache", 6144.0, 512.0, "two workers of 3 GiB"),),
            WAYS,
            ("GPUs 0 and 1 are the pair with the most links next to one node",),
        ),
        Explanation("small", ("small.0", "small.1"), ("llama3.1:8b",), "latency"),
    ),
    proven=False,
)
