"""Plans of a few hosts, built by hand: what the planner would decide for them."""

from __future__ import annotations

import dataclasses

from provision.engines.launch import EngineName, Launch, LaunchGpu, Pin
from provision.engines.registry import engine_named
from provision.host.bundle import GpuSetting, SecretReference, WatchSettings
from provision.host.quantity import CpuSet, PciAddress
from provision.plan.plan import (
    Backup,
    Member,
    Plan,
    PlannedGpuSettings,
    Proxy,
    RateLimit,
    Route,
    Tls,
)
from provision.plan.pools import pools_of

UUIDS = tuple(f"GPU-{number:08x}-1111-2222-3333-444444444444" for number in range(8))
PROGRAMS: dict[EngineName, str] = {
    "ollama": "/usr/local/bin/ollama",
    "vllm": "/opt/vllm/bin/vllm",
    "llama-server": "/usr/local/bin/llama-server",
}


def gpu(index: int, node: int | None = 0) -> LaunchGpu:
    address = PciAddress.parse(f"0000:{0x17 + index:02x}:00.0")
    return LaunchGpu(UUIDS[index], address, index, node, "NVIDIA GeForce RTX 3090", 24576)


def vllm(name: str = "chat.0", **changes: object) -> Launch:
    launch = Launch(
        name=name,
        group=name.rsplit(".", 1)[0],
        engine="vllm",
        program=PROGRAMS["vllm"],
        models=("meta-llama/Llama-3.3-70B-Instruct-AWQ",),
        gpus=(gpu(0), gpu(1)),
        pin=Pin("systemd", (0,), CpuSet.parse("2-15"), "preferred"),
        threads=14,
        port=8000,
        internal_ports=(29500, 29501),
        tensor_parallel_size=2,
        context=8192,
    )
    return dataclasses.replace(launch, **changes)  # type: ignore[arg-type]  # named by the tests


def ollama(name: str = "small.0", **changes: object) -> Launch:
    launch = Launch(
        name=name,
        group=name.rsplit(".", 1)[0],
        engine="ollama",
        program=PROGRAMS["ollama"],
        models=("llama3.1:8b",),
        gpus=(gpu(2, 1),),
        pin=Pin("systemd", (1,), CpuSet.parse("18-23"), "bind"),
        threads=6,
        port=11434,
        models_dir="/srv/ollama",
    )
    return dataclasses.replace(launch, **changes)  # type: ignore[arg-type]  # named by the tests


def llama(name: str = "deep.0", **changes: object) -> Launch:
    launch = Launch(
        name=name,
        group=name.rsplit(".", 1)[0],
        engine="llama-server",
        program=PROGRAMS["llama-server"],
        models=("/srv/models/tiny model.gguf",),
        port=8080,
        context=2048,
        parallel=4,
    )
    return dataclasses.replace(launch, **changes)  # type: ignore[arg-type]  # named by the tests


def route(name: str, path: str, *launches: Launch, listen: str = "127.0.0.1:8088") -> Route:
    engine = engine_named(launches[0].engine)
    return Route(
        name=name,
        listen=(listen,),
        path=path,
        strip=path != "/",
        engine=engine.name,
        members=tuple(Member(one.name, one.port) for one in launches),
        paths=engine.inference_paths,
        keepalive_timeout_seconds=engine.keepalive_timeout_seconds,
    )


def by_model(name: str, path: str, *launches: Launch, listen: str = "127.0.0.1:8088") -> Route:
    """A route that the model of a request chooses a pool of."""
    made = route(name, path, *launches, listen=listen)
    pools = pools_of(dict.fromkeys([one.group for one in launches], 1), launches)
    paths = tuple(sorted({path for pool in pools for path in pool.paths}))
    return dataclasses.replace(made, pools=pools, paths=paths)


def plan(*launches: Launch, **changes: object) -> Plan:
    made = Plan(
        version=Plan.VERSION,
        host="gpu-box-1",
        systemd=252,
        cgroup="v2",
        python="/usr/bin/python3",
        instances=launches,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # named by the tests


def small_host() -> Plan:
    """One model on the CPU, no GPU, no NUMA, no proxy."""
    return plan(llama())


def two_sockets() -> Plan:
    """All three engines, pins on both nodes, settings, a proxy with a path each."""
    chat, small, more = vllm(), ollama(), ollama("small.1", gpus=(gpu(3, 1),), port=11435)
    deep = llama()
    proxy = Proxy(
        listen=("127.0.0.1:8088",),
        routes=(
            route("root", "/", chat),
            route("chat", "/chat/", chat),
            route("small", "/small/", small, more),
            route("deep", "/deep/", deep),
        ),
    )
    settings = PlannedGpuSettings(
        tuple(GpuSetting(one.uuid, one.address, True, 300.0) for one in chat.gpus), "PCI_BUS_ID"
    )
    return plan(
        chat, small, more, deep, gpu_settings=settings, proxy=proxy, takeover=("ollama.service",)
    )


def guarded() -> Plan:
    """Wide open to a network, with keys and secrets, numactl, everything below /home."""
    chat = vllm(
        secrets={"VLLM_API_KEY": SecretReference("/etc/llm/key")},
        program="/home/ai/vllm/bin/vllm",
        models_dir="/home/ai/models",
        pin=Pin("numactl", (0,), CpuSet.parse("0-15"), "bind"),
    )
    proxy = Proxy(
        listen=("0.0.0.0:8443", "[::]:8443", "10.0.0.5:9000"),
        routes=(
            dataclasses.replace(route("root", "/", chat), listen=("0.0.0.0:8443", "[::]:8443")),
            dataclasses.replace(
                route("direct", "/", chat), listen=("10.0.0.5:9000",), all_paths=True
            ),
        ),
        keys_file="/etc/llm/keys",
        allow=("10.0.0.0/8",),
    )
    return plan(chat, proxy=proxy, systemd=255)


def across_nodes() -> Plan:
    """Tensor parallel over both sockets: the engine binds its workers, no policy of the unit."""
    return plan(
        vllm(
            gpus=(gpu(0, 0), gpu(1, 0), gpu(2, 1), gpu(3, 1)),
            tensor_parallel_size=4,
            pin=Pin("systemd", (0, 1), CpuSet.parse("0-31"), None, per_worker=True),
            version="0.33.0",
        ),
        systemd=249,
    )


def several_ways() -> Plan:
    """A pipeline with a draft model, a slice, layers in RAM with a quantised cache."""
    slice_ = LaunchGpu(
        "MIG-4c60d78c-506f-5593-938d-a136eaa1fa52",
        PciAddress.parse("0000:17:00.0"),
        0,
        0,
        "NVIDIA H100 80GB HBM3",
        9856,
        profile="1g.10gb",
    )
    return plan(
        vllm(
            gpus=(gpu(1), gpu(2, 1)),
            tensor_parallel_size=1,
            pipeline_parallel_size=2,
            stage_layers=(38, 42),
            draft_model='org/a "small" %h $HOME',
            kv_cache="fp8",
            memory_utilization=0.8,
        ),
        ollama("tiny.0", gpus=(slice_,), kv_cache="q8_0", port=11436),
        vllm(
            "sliced.0", gpus=(slice_,), tensor_parallel_size=1, port=8001, internal_ports=(29600,)
        ),
        llama(
            gpus=(gpu(3), gpu(4)),
            gpu_layers=20,
            stage_layers=(12, 8),
            kv_cache="q4_0",
            draft_model="/home/ai/small model.gguf",
            version="11434",
        ),
    )


def balanced() -> Plan:
    """Everything that the proxy can do: TLS, limits, a log, pools by model, backups, watch."""
    chat, more, small, deep = vllm(), vllm("chat.1", port=8001), ollama(), llama()
    main = dataclasses.replace(
        by_model("root", "/", chat, more, small, deep, listen="0.0.0.0:443"),
        max_in_flight=16,
        backup=Backup(
            url="https://api.example.com/v1",
            key_file="/etc/llm/backup-key",
            authorities="/etc/ssl/certs/ca-certificates.crt",
        ),
    )
    quick = dataclasses.replace(
        route("path-small", "/small/", small, listen="0.0.0.0:443"),
        backup=Backup((Member(deep.name, deep.port),)),
    )
    proxy = Proxy(
        listen=main.listen,
        routes=(main, quick),
        keys_file="/etc/llm/keys",
        tls=Tls("/etc/llm/tls/full chain.pem", "/etc/llm/tls/key.pem"),
        rate_limit=RateLimit(0.5, 4, "key"),
        max_connections=8,
        access_log="/var/log/nginx/provision.log",
        nginx_version="1.22.1",
    )
    return plan(chat, more, small, deep, proxy=proxy, watch=WatchSettings())


ALL = {
    "small_host": small_host,
    "two_sockets": two_sockets,
    "guarded": guarded,
    "across_nodes": across_nodes,
    "several_ways": several_ways,
    "balanced": balanced,
}
