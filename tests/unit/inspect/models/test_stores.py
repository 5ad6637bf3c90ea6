"""Models where tools keep them: the hub's cache, Ollama's store, folders of GGUF files."""

from __future__ import annotations

import pytest

from provision.host.facts import ModelFound
from provision.host.inspect.models import read_model

from .files import LLAMA, PARAMETERS, STRING, U32, WEIGHTS, Gguf, Host, safetensors

TENSORS = {"w.weight": ("BF16", (8, 8), 128)}
CONFIG = {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 8}
CACHE = "/srv/hf/hub/models--Qwen--Qwen3-8B"
COMMIT = "a" * 40
STORE = "/var/lib/ollama/models"
MANIFEST = f"{STORE}/manifests/registry.ollama.ai/library/llama3.1/8b"
DIGESTS = {name: f"{at:064x}" for at, name in enumerate(("model", "projector", "params", "none"))}


def cache(host: Host) -> None:
    host.file(f"{CACHE}/refs/main", COMMIT + "\n")
    files: dict[str, object] = {
        "config.json": CONFIG, "model.safetensors": safetensors(TENSORS),
    }  # fmt: skip
    for name, content in files.items():
        host.file(f"{CACHE}/blobs/{name}-digest", content)
        host.link(f"{CACHE}/snapshots/{COMMIT}/{name}", f"../../blobs/{name}-digest")


def test_the_hubs_cache(host: Host) -> None:
    cache(host)
    host.file(f"{CACHE}/snapshots/{'b' * 40}/config.json", {"hidden_size": 9})
    for path in (CACHE, f"{CACHE}/", f"{CACHE}/snapshots/{COMMIT}"):
        found = read_model(host.source, path)
        assert found is not None
        assert (found.architecture, found.weight_bytes, found.problem) == (
            "Qwen3ForCausalLM", 128, None,
        )  # fmt: skip


def test_a_download_that_goes_on(host: Host) -> None:
    cache(host)
    host.file(f"{CACHE}/blobs/other.1a2b.incomplete", b"")
    for path in (CACHE, f"{CACHE}/snapshots/{COMMIT}"):
        found = read_model(host.source, path)
        assert found is not None
        assert found.problem == "1 of its files are not fully downloaded"


def test_what_an_old_download_left_behind_is_no_problem(host: Host) -> None:
    cache(host)
    host.file(f"{CACHE}/blobs/model.incomplete", b"")
    host.file(f"{CACHE}/blobs/model", b"")
    found = read_model(host.source, CACHE)
    assert found is not None
    assert found.problem is None


def test_one_commit_without_a_branch_is_the_one(host: Host) -> None:
    host.file(f"{CACHE}/snapshots/{COMMIT}/config.json", CONFIG)
    found = read_model(host.source, CACHE)
    assert found is not None
    assert (found.settings, found.problem) == ({"hidden_size": 8}, None)
    host.file(f"{CACHE}/snapshots/{'b' * 40}/config.json", CONFIG)
    found = read_model(host.source, CACHE)
    assert found == ModelFound("config", problem="2 commits, and none is the main branch")


def test_a_cache_where_the_commit_is_not_there(host: Host) -> None:
    host.file(f"{CACHE}/refs/main", COMMIT)
    assert read_model(host.source, CACHE) == ModelFound("config", problem="no commit is there")
    host.file(f"{CACHE}/blobs/weights.incomplete", b"")
    found = read_model(host.source, CACHE)
    assert found == ModelFound("config", problem="1 of its files are not fully downloaded")


@pytest.mark.parametrize("main", ["../../../etc", "..", "", "\xff"])
def test_a_branch_that_leads_elsewhere(host: Host, main: str) -> None:
    host.file(f"{CACHE}/refs/main", main)
    host.file(f"{CACHE}/snapshots/{COMMIT}/config.json", CONFIG)
    host.file("/etc/config.json", {"secret": 1})
    found = read_model(host.source, CACHE)
    assert found is not None
    assert "secret" not in found.settings


def test_a_cache_of_gguf_files(host: Host) -> None:
    host.file(f"{CACHE}/refs/main", COMMIT)
    host.file(f"{CACHE}/snapshots/{COMMIT}/a.gguf", Gguf(LLAMA, WEIGHTS).content)
    host.file(f"{CACHE}/snapshots/{COMMIT}/mmproj-a.gguf", b"")
    found = read_model(host.source, CACHE)
    assert found is not None
    assert (found.architecture, found.parameters) == ("llama", PARAMETERS)


def test_a_download_into_a_folder_that_goes_on(host: Host) -> None:
    host.file("/m/config.json", CONFIG)
    host.file("/m/.cache/huggingface/download/model.x.incomplete", b"")
    found = read_model(host.source, "/m")
    assert found is not None
    assert found.problem == "1 of its files are not fully downloaded"


def test_a_folder_of_one_gguf_model_and_one_of_many(host: Host) -> None:
    for part in (1, 2):
        content = Gguf(LLAMA, WEIGHTS[part - 1 : part]).content
        host.file(f"/m/a-0000{part}-of-00002.gguf", content)
    found = read_model(host.source, "/m")
    assert found is not None
    assert (found.files, found.architecture) == (2, "llama")
    host.file("/m/b.gguf", Gguf(LLAMA, WEIGHTS).content)
    assert read_model(host.source, "/m") is None


def manifest(host: Host, *kinds: str, sizes: dict[str, int] | None = None) -> None:
    layers = [
        {
            "mediaType": f"application/vnd.ollama.image.{kind}",
            "digest": f"sha256:{DIGESTS[kind]}",
            "size": (sizes or {}).get(kind, 0),
        }
        for kind in kinds
    ]
    host.file(MANIFEST, {"schemaVersion": 2, "layers": layers})
    host.file(f"{STORE}/blobs/sha256-{DIGESTS['none']}", b"")


def blob(host: Host, kind: str, content: object) -> int:
    path = host.file(f"{STORE}/blobs/sha256-{DIGESTS[kind]}", content)
    return (host.root / path[1:]).stat().st_size


def test_a_model_of_ollama(host: Host) -> None:
    sizes = {
        "model": blob(host, "model", Gguf(LLAMA, WEIGHTS).content),
        "params": blob(host, "params", {"num_ctx": 4096, "stop": ["<|eot|>"]}),
    }
    manifest(host, "model", "params", sizes=sizes)
    found = read_model(host.source, MANIFEST)
    assert found is not None
    assert (found.format, found.name, found.parameters) == ("gguf", "Tiny Llama", PARAMETERS)
    assert found.settings["params.num_ctx"] == 4096
    assert (found.files, found.missing, found.problem) == (1, (), None)


def test_a_projector_takes_memory_too(host: Host) -> None:
    keys: dict[str, tuple[int, object]] = {
        "general.architecture": (STRING, "clip"), "clip.vision.block_count": (U32, 3),
    }  # fmt: skip
    sizes = {
        "model": blob(host, "model", Gguf(LLAMA, WEIGHTS).content),
        "projector": blob(host, "projector", Gguf(keys, [("v", (4,), 0)]).content),
    }
    manifest(host, "projector", "model", sizes=sizes)
    found = read_model(host.source, MANIFEST)
    assert found is not None
    assert (found.architecture, found.parameters, found.files) == ("llama", PARAMETERS + 4, 2)
    assert found.problem is None


def test_a_blob_that_is_missing(host: Host) -> None:
    blob(host, "projector", Gguf(LLAMA, WEIGHTS).content)
    manifest(host, "model", "projector")
    found = read_model(host.source, MANIFEST)
    assert found is not None
    assert found.missing == (f"sha256-{DIGESTS['model']}",)
    assert (found.weight_bytes, found.settings, found.architecture) == (None, {}, None)


def test_a_blob_that_is_shorter_than_its_manifest_says(host: Host) -> None:
    size = blob(host, "model", Gguf(LLAMA, WEIGHTS).content)
    manifest(host, "model", sizes={"model": size + 5})
    found = read_model(host.source, MANIFEST)
    assert found is not None
    assert found.problem == f"a blob has {size} bytes, the manifest says {size + 5}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "it is no manifest of Ollama"),
        ("{", "it is no manifest of Ollama"),
        ("[" * 50_000, "it is no manifest of Ollama"),
        ({"layers": {}}, "it is no manifest of Ollama"),
        ({"layers": [3]}, "it is no manifest of Ollama"),
        ({"layers": [{"mediaType": "x", "digest": "sha256:../../etc/shadow"}]}, "no manifest"),
        ({"layers": []}, "the manifest names no model: it runs elsewhere"),
    ],
)
def test_what_is_no_manifest(host: Host, content: object, problem: str) -> None:
    host.file(f"{STORE}/blobs/sha256-{DIGESTS['none']}", b"")
    host.file(MANIFEST, content)
    found = read_model(host.source, MANIFEST)
    assert found is not None
    assert problem in (found.problem or "")


def test_what_is_no_model_is_not_opened(host: Host) -> None:
    """Keys stand among the paths of a request."""
    host.file("/etc/llm/key", "sk-secret")
    host.file("/etc/llm/GGUF", Gguf(LLAMA, WEIGHTS).content)
    host.file("/etc/manifests/a/b/c/key", "{}")  # no blobs beside it: not Ollama's
    host.file("/srv/models/notes.txt", "x")
    host.link("/srv/pipe.gguf", "/dev/null")
    paths = ("/etc/llm/key", "/etc/llm/GGUF", "/etc/manifests/a/b/c/key", "/srv/models", "/etc",
             "/srv/pipe.gguf", "/none", "/", "", "relative.gguf", "/nul\0.gguf")  # fmt: skip
    assert [read_model(host.source, path) for path in paths] == [None] * len(paths)
    assert host.source.opened == {}
