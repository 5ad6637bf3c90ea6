"""One instance: its engine, its models, its paths, its pin."""

from __future__ import annotations

import re

from provision.host.ollama_tags import OllamaTag

from ..complaints import Complaints
from ..model import InstanceSpec, NumaPin
from ..subject import quoted

_VLLM_ONLY = {
    "tensor_parallel_size": "ollama and llama-server split a model themselves",
    "pipeline_parallel_size": "ollama and llama-server split a model themselves",
    "expert_parallel": "ollama and llama-server keep whole layers on each GPU",
    "memory_utilization": "ollama and llama-server take what the model needs",
    "venv": "write binary for the path of the program",
}
_HUGGING_FACE = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?")


def check_together(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """What the keys of one instance say to each other."""
    _check_engine_keys(name, spec, complaints)
    _check_which_models(name, spec, complaints)
    if spec.pin == "numactl" and spec.numa == "off":
        complaints.add(
            "pin-without-numa",
            f"{name}: pin is numactl, but numa is off: there is nothing to pin",
            *("instances", name, "pin"),
            hint="remove pin, or write numa: auto",
        )


def check_values(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """What each key of one instance says by itself, given its engine."""
    at = ("instances", name)
    if spec.model is not None:
        _check_model(name, spec, spec.model, complaints, *at, "model")
    if spec.engine == "ollama":
        for number, tag in enumerate(spec.models or ()):
            _check_model(name, spec, tag, complaints, *at, "models", number)
        _check_twice(name, spec.models or [], complaints)
    for key in ("binary", "venv", "models_dir"):
        check_path(f"{name}: {key}", getattr(spec, key), complaints, *at, key)
    for variable, secret in spec.secrets.items():
        label = f"{name}: secrets.{variable}.file"
        check_path(label, secret.file, complaints, *at, "secrets", variable, "file")
    _check_numa(name, spec, complaints)


def check_path(label: str, path: str | None, complaints: Complaints, *at: str | int) -> None:
    """A path is one program, file or folder: no `..`, no space at its end."""
    if path is None:
        return
    if ".." in path.split("/"):
        complaints.add(
            "bad-path",
            f"{label} is {quoted(path)}, with .. in it",
            *at,
            hint="write the path without ..",
        )
    elif path.rstrip("/") == "" or path != path.strip():
        complaints.add(
            "bad-path",
            f"{label} is {quoted(path)}; allowed: a path below /, without a space at its end",
            *at,
        )


def _check_engine_keys(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at = ("instances", name)
    if spec.engine != "vllm":
        for key, hint in _VLLM_ONLY.items():
            if getattr(spec, key) is not None:
                message = f"{name}: {key} is for vllm, the engine is {spec.engine}"
                complaints.add("vllm-only", message, *at, key, hint=hint, key=True)
    elif spec.binary and spec.venv:
        message = f"{name}: binary and venv both say where vllm is"
        complaints.add("binary-and-venv", message, *at, "venv", hint="keep one of them", key=True)
    if spec.engine == "llama-server" and spec.models_dir is not None:
        complaints.add(
            "models-dir-engine",
            f"{name}: models_dir is for ollama and vllm; llama-server takes its model by path",
            *at,
            "models_dir",
            hint="remove it; model holds the whole path",
            key=True,
        )


def _check_which_models(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at = ("instances", name)
    if spec.models is not None and spec.engine != "ollama":
        complaints.add(
            "models-engine",
            f"{name}: models is for ollama; {spec.engine} serves one model an instance",
            *at,
            "models",
            hint="write model, and an instance of its own for each further model",
            key=True,
        )
    elif spec.model is not None and spec.models is not None:
        complaints.add(
            "model-and-models",
            f"{name}: model and models are both given",
            *at,
            "model",
            hint="write all of them under models",
            key=True,
        )
    if spec.model is None and (spec.models is None or spec.engine != "ollama"):
        wanted = {
            "ollama": "model: llama3.1:8b, or models: [one, two]",
            "vllm": "model: ORGANISATION/NAME of Hugging Face, or a folder",
            "llama-server": "model: /srv/models/NAME.gguf",
        }
        complaints.add(
            "model-missing",
            f"{name}: no model is given",
            *at,
            hint=f"for {spec.engine} write {wanted[spec.engine]}",
            key=True,
        )


def _check_model(
    name: str, spec: InstanceSpec, model: str, complaints: Complaints, *at: str | int
) -> None:
    wrong = wrong_with_model(spec.engine, model)
    if wrong:
        reason, hint = wrong
        complaints.add("bad-model", f"{name}: model is {quoted(model)}; {reason}", *at, hint=hint)


def wrong_with_model(engine: str, model: str) -> tuple[str, str | None] | None:
    """What is wrong with a model's name for this engine, and a hint."""
    if not model.isprintable() or model != model.strip() or not model:
        return "allowed: text without control characters and outer spaces", None
    if engine == "llama-server":
        return _wrong_with_file(model)
    if engine == "ollama":
        try:
            OllamaTag.parse(model)
        except ValueError:
            hint = "import a file with `ollama create NAME` and write NAME"
            return "ollama takes NAME:TAG", hint if model.endswith(".gguf") else None
        return None
    if model.startswith("/"):
        return ("a path with .. in it", None) if ".." in model.split("/") else None
    page = re.fullmatch(r"https?://(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:/.*)?", model)
    if page:
        return "vllm takes the id, not the page", f"write {page[1]}"
    if not _HUGGING_FACE.fullmatch(model):
        return "vllm takes ORGANISATION/NAME of Hugging Face or an absolute path", None
    return None


def _wrong_with_file(model: str) -> tuple[str, str | None] | None:
    if not model.startswith("/"):
        hint = "download the file to this host and write its path, /srv/models/NAME.gguf"
        return "llama-server takes the absolute path of a .gguf file", hint
    if not model.endswith(".gguf"):
        return "llama-server takes a file that ends in .gguf", None
    return ("a path with .. in it", None) if ".." in model.split("/") else None


def _check_twice(name: str, models: list[str], complaints: Complaints) -> None:
    seen: dict[str, str] = {}
    for number, model in enumerate(models):
        try:
            full = str(OllamaTag.parse(model))
        except ValueError:
            continue
        if full in seen:
            message = f"{name}: models has {model} twice" + (
                f", the same as {seen[full]}" if seen[full] != model else ""
            )
            at = ("instances", name, "models", number)
            complaints.add("model-twice", message, *at, hint="remove one")
        seen.setdefault(full, model)


def _check_numa(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at: tuple[str | int, ...] = ("instances", name, "numa")
    nodes = spec.numa
    if isinstance(nodes, NumaPin):
        at, nodes = (*at, "nodes"), nodes.nodes
    if isinstance(nodes, list):
        for number, node in enumerate(nodes):
            if node in nodes[:number]:
                message = f"{name}: NUMA node {node} is named twice"
                complaints.add("node-twice", message, *at, number, hint="remove one")
