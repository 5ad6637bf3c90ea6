#!/usr/bin/python3 -IS
"""``llama-server``: a command line for the real llama.cpp HTTP server of the xllamacpp wheel.

The wheel embeds llama.cpp's own server as a library without a command line. This launcher adds the
options that a careful systemd unit renders, read as llama.cpp reads them: ``--name value`` in two
words, ``_`` taken for ``-``, no abbreviations, ``LLAMA_ARG_*`` beneath the command line, and
anything unknown refused with exit 1. It stands in the test hosts as /usr/local/bin/llama-server.

Unlike the real thing: options about GPUs are read and checked but there is no GPU to obey them,
a model must be given (no router mode), and while the library is being imported this launcher
answers 503. PROVISION_TEST_LOAD_SECONDS makes that phase longer, to test what waits for readiness.
"""

# `-IS` (isolated, no site): half the start-up time under emulation, and nothing of the
# surroundings can get in. The name of this file, not the interpreter's, stands in /proc/PID/comm.
from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

LIBRARY = "/opt/llama-cpp"  # where build.sh unpacks the wheel
BUILD, COMMIT, COMPILER = 11549, "abcdef1", "GNU 10.2.1 for Linux x86_64"
DEFAULT_PORT = "8080"


def refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(1)


# --- values --------------------------------------------------------------------------------------


def text(value: str) -> str:
    return value


def integer(value: str) -> int:
    # std::stoi takes a leading number and ignores the rest; a unit that relies on that is wrong.
    try:
        return int(value)
    except ValueError:
        raise ValueError("stoi") from None


def layers(value: str) -> int:
    return {"auto": -1, "all": -2}[value] if value in ("auto", "all") else integer(value)


def proportions(value: str) -> list[float]:
    try:
        return [float(part) for part in value.replace("/", ",").split(",")]
    except ValueError:
        raise ValueError("stof") from None


SPECULATIONS = (
    *("none", "draft-simple", "draft-eagle3", "draft-mtp", "draft-dflash", "draft-dspark"),
    *("ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache"),
)


def speculation(value: str) -> list[str]:
    for part in value.split(","):
        if part not in SPECULATIONS:
            raise ValueError(f"unknown speculative type: {part}")
    return value.split(",")


def one_of(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"invalid value: expected one of {', '.join(allowed)}")
        return value

    return check


# --- options -------------------------------------------------------------------------------------


class Option(NamedTuple):
    key: str
    names: tuple[str, ...]
    read: Callable[[str], Any] | None = None  # None: a flag without a value
    env: str | None = None
    negated: tuple[str, ...] = ()
    help: str = ""


ON_OFF_AUTO = one_of("on", "off", "auto")
KV_TYPE = one_of("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
OPTIONS = (
    Option("help", ("-h", "--help", "--usage"), help="print usage and exit"),
    Option("version", ("--version",), help="show version and build info"),
    Option("list_devices", ("--list-devices",), help="print list of available devices and exit"),
    Option("threads", ("-t", "--threads"), integer, "LLAMA_ARG_THREADS", help="CPU threads"),
    Option("threads_batch", ("-tb", "--threads-batch"), integer, help="threads for prompts"),
    Option("ctx_size", ("-c", "--ctx-size"), integer, "LLAMA_ARG_CTX_SIZE", help="context size"),
    Option("batch_size", ("-b", "--batch-size"), integer, "LLAMA_ARG_BATCH"),
    Option("ubatch_size", ("-ub", "--ubatch-size"), integer, "LLAMA_ARG_UBATCH"),
    Option("flash_attn", ("-fa", "--flash-attn"), ON_OFF_AUTO, "LLAMA_ARG_FLASH_ATTN"),
    Option("offline", ("--offline",), env="LLAMA_ARG_OFFLINE"),
    Option("log_colors", ("--log-colors",), ON_OFF_AUTO, "LLAMA_LOG_COLORS"),
    Option(
        "load_mode",
        ("--load-mode",),
        one_of("auto", "none", "mmap", "mlock", "mmap+mlock", "dio"),
        "LLAMA_ARG_LOAD_MODE",
    ),
    Option("numa", ("--numa",), one_of("distribute", "isolate", "numactl"), "LLAMA_ARG_NUMA"),
    Option("device", ("-dev", "--device"), text, "LLAMA_ARG_DEVICE"),
    Option(
        "n_gpu_layers", ("-ngl", "--gpu-layers", "--n-gpu-layers"), layers, "LLAMA_ARG_N_GPU_LAYERS"
    ),
    Option(
        "split_mode",
        ("-sm", "--split-mode"),
        one_of("none", "layer", "row", "tensor"),
        "LLAMA_ARG_SPLIT_MODE",
    ),
    Option("tensor_split", ("-ts", "--tensor-split"), proportions, "LLAMA_ARG_TENSOR_SPLIT"),
    Option("main_gpu", ("-mg", "--main-gpu"), integer, "LLAMA_ARG_MAIN_GPU"),
    Option("fit", ("-fit", "--fit"), one_of("on", "off"), "LLAMA_ARG_FIT"),
    Option("fit_target", ("-fitt", "--fit-target"), text, "LLAMA_ARG_FIT_TARGET"),
    Option("model", ("-m", "--model"), text, "LLAMA_ARG_MODEL", help="model path to load"),
    Option("cache_type_k", ("-ctk", "--cache-type-k"), KV_TYPE, "LLAMA_ARG_CACHE_TYPE_K"),
    Option("cache_type_v", ("-ctv", "--cache-type-v"), KV_TYPE, "LLAMA_ARG_CACHE_TYPE_V"),
    Option(
        "model_draft",
        ("-md", "--model-draft", "--spec-draft-model"),
        text,
        "LLAMA_ARG_SPEC_DRAFT_MODEL",
    ),
    Option(
        "n_gpu_layers_draft",
        ("-ngld", "--spec-draft-ngl", "--gpu-layers-draft", "--n-gpu-layers-draft"),
        layers,
        "LLAMA_ARG_N_GPU_LAYERS_DRAFT",
    ),
    Option("spec_type", ("--spec-type",), speculation, "LLAMA_ARG_SPEC_TYPE"),
    Option("parallel", ("-np", "--parallel"), integer, "LLAMA_ARG_N_PARALLEL"),
    Option("cache_ram", ("-cram", "--cache-ram"), integer, "LLAMA_ARG_CACHE_RAM"),
    Option("alias", ("-a", "--alias"), text, "LLAMA_ARG_ALIAS"),
    Option("host", ("--host",), text, "LLAMA_ARG_HOST", help="comma-separated, or PATH.sock"),
    Option("port", ("--port",), integer, "LLAMA_ARG_PORT"),
    Option("ui", ("--ui", "--webui"), env="LLAMA_ARG_UI", negated=("--no-ui", "--no-webui")),
    Option("api_key", ("--api-key",), text, "LLAMA_API_KEY"),
    Option("api_key_file", ("--api-key-file",), text, "LLAMA_ARG_API_KEY_FILE"),
    Option("timeout", ("-to", "--timeout"), integer, "LLAMA_ARG_TIMEOUT"),
    Option("threads_http", ("--threads-http",), integer, "LLAMA_ARG_THREADS_HTTP"),
    Option("metrics", ("--metrics",), env="LLAMA_ARG_ENDPOINT_METRICS"),
    Option("props", ("--props",), env="LLAMA_ARG_ENDPOINT_PROPS"),
    Option("slots", ("--slots",), env="LLAMA_ARG_ENDPOINT_SLOTS", negated=("--no-slots",)),
    Option("jinja", ("--jinja",), env="LLAMA_ARG_JINJA", negated=("--no-jinja",)),
    Option("chat_template", ("--chat-template",), text, "LLAMA_ARG_CHAT_TEMPLATE"),
)
BY_NAME = {name: option for option in OPTIONS for name in (*option.names, *option.negated)}


def read_value(option: Option, given_as: str, value: str) -> Any:
    assert option.read is not None
    try:
        return option.read(value)
    except ValueError as error:
        refuse(f'error while handling argument "{given_as}": {error}')


def from_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in OPTIONS:
        value = os.environ.get(option.env) if option.env else None
        if value is None:
            continue
        if option.read is not None:
            found[option.key] = read_value(option, f"environment variable {option.env}", value)
        elif value in ("on", "enabled", "true", "1"):
            found[option.key] = True
        elif value in ("off", "disabled", "false", "0") and option.negated:
            found[option.key] = False
    return found


def from_command_line(words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name = word.replace("_", "-") if word.startswith("--") else word
        option = BY_NAME.get(name)
        if option is None:
            refuse(f"error: invalid argument: {name}")
        if option.read is None:
            found[option.key] = name not in option.negated
            continue
        value = next(rest, None)
        if value is None:
            refuse(f'error while handling argument "{name}": expected value for argument')
        found[option.key] = read_value(option, name, value)
    return found


def usage() -> str:
    lines = ["usage: llama-server [options]", ""]
    for option in OPTIONS:
        names = ", ".join((*option.names, *option.negated))
        value = "" if option.read is None else " N" if option.read is integer else " VALUE"
        env = f" (env: {option.env})" if option.env else ""
        lines.append(f"{names + value:<40} {option.help}{env}".rstrip())
    return "\n".join(lines)


def api_keys(options: dict[str, Any]) -> list[str]:
    keys = [key for key in options.get("api_key", "").split(",") if key]
    path = options.get("api_key_file")
    if path:
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs start-up time)
                lines = [line.strip() for line in file]
        except OSError:
            refuse(
                f"error while handling argument \"--api-key-file\": failed to open file '{path}'"
            )
        keys += [line for line in lines if line and not line.startswith("#")]
    return keys


# --- the server ----------------------------------------------------------------------------------


class Loading:
    """Answers 503 on the server's own address until the model is being loaded in earnest.

    Real llama-server listens before it loads. The library listens in the same way, but only once
    it is itself imported, which takes seconds under emulation.
    """

    BODY = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'

    def __init__(self, hosts: list[str], port: int) -> None:
        import socket
        import threading

        self.sockets = []
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
            except OSError:
                refuse(f"start: couldn't bind HTTP server socket, hostname: {host}, port: {port}")
            listener.listen(64)
            self.sockets.append(listener)
            threading.Thread(target=self.answer, args=(listener,), daemon=True).start()

    def answer(self, listener: Any) -> None:
        head = (
            b"HTTP/1.1 503 Service Unavailable\r\nServer: llama.cpp\r\nConnection: close\r\n"
            b"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        ) % len(self.BODY)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed: loading is over
                return
            with connection:
                try:
                    connection.settimeout(2)
                    connection.recv(65536)
                    connection.sendall(head + self.BODY)
                except OSError:
                    continue

    def close(self) -> None:
        import socket

        for listener in self.sockets:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); close() alone would not
            listener.close()


def parameters(library: Any, options: dict[str, Any], hosts: list[str], port: int) -> Any:
    p = library.CommonParams()
    p.model.path = options["model"]
    p.hostnames, p.port = hosts, port
    p.api_keys = api_keys(options)
    p.model_alias = set(options.get("alias", "").split(",")) - {""}
    plain = {
        "ctx_size": "n_ctx",
        "batch_size": "n_batch",
        "ubatch_size": "n_ubatch",
        "parallel": "n_parallel",
        "cache_ram": "cache_ram_mib",
        "threads_http": "n_threads_http",
        "n_gpu_layers": "n_gpu_layers",
        "main_gpu": "main_gpu",
        "metrics": "endpoint_metrics",
        "props": "endpoint_props",
        "slots": "endpoint_slots",
        "ui": "ui",
        "jinja": "use_jinja",
        "chat_template": "chat_template",
        "offline": "offline",
    }
    for key, attribute in plain.items():
        if key in options:
            setattr(p, attribute, options[key])
    if options.get("parallel", -1) < 1:
        p.n_parallel = 4  # what "auto" comes to in the real server
    if "threads" in options:
        p.cpuparams.n_threads = options["threads"]
    if "threads_batch" in options or "threads" in options:
        p.cpuparams_batch.n_threads = options.get("threads_batch", options.get("threads"))
    if "timeout" in options:
        p.timeout_read = p.timeout_write = options["timeout"]
    if "fit" in options:
        p.fit_params = options["fit"] == "on"
    enums = {
        "numa": ("numa", library.ggml_numa_strategy, "GGML_NUMA_STRATEGY_"),
        "split_mode": ("split_mode", library.llama_split_mode, "LLAMA_SPLIT_MODE_"),
        "load_mode": ("load_mode", library.llama_load_mode, "LLAMA_LOAD_MODE_"),
        "flash_attn": ("flash_attn_type", library.llama_flash_attn_type, "LLAMA_FLASH_ATTN_TYPE_"),
    }
    spelled = {"on": "ENABLED", "off": "DISABLED", "dio": "DIRECT_IO", "mmap+mlock": "MMAP_MLOCK"}
    for key, (attribute, enum, prefix) in enums.items():
        if key in options:
            value = options[key]
            setattr(p, attribute, getattr(enum, prefix + spelled.get(value, value.upper())))
    for key in ("cache_type_k", "cache_type_v"):
        if key in options:
            setattr(p, key, getattr(library.ggml_type, f"GGML_TYPE_{options[key].upper()}"))
    speculate(library, p, options)
    return p


def speculate(library: Any, p: Any, options: dict[str, Any]) -> None:
    """A draft model is loaded as soon as it is named, and asked only by the kind that uses it."""
    if "model_draft" in options:
        p.speculative.draft.mparams.path = options["model_draft"]
    if "n_gpu_layers_draft" in options:
        p.speculative.draft.n_gpu_layers = options["n_gpu_layers_draft"]
    if "spec_type" in options:
        names = [f"COMMON_SPECULATIVE_TYPE_{one.upper()}" for one in options["spec_type"]]
        kinds = library.common_speculative_type
        p.speculative.types = [getattr(kinds, name.replace("-", "_")) for name in names]


def serve(options: dict[str, Any]) -> int:
    if "model" not in options:
        refuse("error: --model is required by this launcher (no router mode here)")
    hosts = [host for host in options.get("host", "127.0.0.1").split(",") if host]
    port = int(options.get("port", DEFAULT_PORT))
    # A unix socket can only be bound once: leave it to the library.
    loading = Loading([host for host in hosts if not host.endswith(".sock")], port)
    if hosts == [host for host in hosts if host.endswith(".sock")]:
        port = 0
    sys.path.insert(0, LIBRARY)
    import xllamacpp as library

    delay = float(os.environ.get("PROVISION_TEST_LOAD_SECONDS", "0"))
    if delay:
        import time

        time.sleep(delay)
    p = parameters(library, options, hosts, port)
    loading.close()
    try:
        server = library.Server(p)  # returns when the model is loaded
    except RuntimeError:
        return 1  # the library has said why on stderr
    # As in the real server, SIGTERM is handled only from here on: before, it simply kills.
    # Blocked and waited for, not handled: no Python code runs in a signal handler.
    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    signal.sigwait(stopping)
    print("srv    operator(): operator(): cleaning up before exit...", file=sys.stderr)
    del server  # its destructor ends the main loop and joins the threads
    return 0


def main() -> int:
    options = {**from_environment(), **from_command_line(sys.argv[1:])}
    if options.get("help"):
        print(usage())
        return 0
    if options.get("version"):
        print(f"version: {BUILD} ({COMMIT})\nbuilt with {COMPILER}", file=sys.stderr)
        return 0
    if options.get("list_devices"):
        print("Available devices:")
        return 0
    return serve(options)


if __name__ == "__main__":
    sys.exit(main())
