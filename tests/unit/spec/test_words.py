"""The small notations: listen addresses, networks, GPU names, Ollama tags, secrets."""

from __future__ import annotations

import pytest

from provision.host.ollama_tags import OllamaTag
from provision.spec.gpu_id import canonical, is_index
from provision.spec.listen import BadListenError, bad_network, parse_listen
from provision.spec.secret import mask, name_says_secret, secrets_in_args, why_secret


@pytest.mark.parametrize(
    ("value", "text", "loopback"),
    [
        (8080, "127.0.0.1:8080", True),
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("127.8.8.8:1", "127.8.8.8:1", True),
        ("[::1]:65535", "[::1]:65535", True),
        ("[2001:DB8:0::1]:443", "[2001:db8::1]:443", False),
        ("0.0.0.0:80", "0.0.0.0:80", False),
        ("[::]:80", "[::]:80", False),
        ("192.0.2.1:8080", "192.0.2.1:8080", False),
    ],
)
def test_listen(value: int | str, text: str, loopback: bool) -> None:
    listen = parse_listen(value)
    assert str(listen) == text
    assert listen.loopback is loopback


@pytest.mark.parametrize(
    "value",
    [
        *(0, 65536, "8080", "", ":80", "*:80", "a:80", "1.2.3:80", "1.2.3.4", "1.2.3.4:"),
        *("1.2.3.4:0", "1.2.3.4:٣", "1.2.3.4:+1", "[::1]", "::1:80", "[::1%eth0]:80"),
        *("[1.2.3.4]:8:0", "01.2.3.4:80", "[::ffff:127.0.0.1]:80", "unix:/x", "1.2.3.4:80;"),
        *("1.2.3.4:80 ssl", "[::1]:80\n9"),
    ],
)
def test_not_listen(value: int | str) -> None:
    with pytest.raises(BadListenError):
        parse_listen(value)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8", "192.0.2.7", "::/0", "2001:db8::/32", "127.0.0.1/32"]
)
def test_networks(text: str) -> None:
    assert bad_network(text) is None


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "10.0.0.0/33", "all", "10.0.0.0/255.0.0.0", "10.0/8", "1;"]
)
def test_not_networks(text: str) -> None:
    assert bad_network(text) is not None


U = "8d4a3e5c-2f1b-7a90-1234-123456789abc"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"GPU-{U}", f"gpu-{U}"),
        (f"GPU-{U.upper()}", f"gpu-{U}"),
        (f"MIG-{U}", f"mig-{U}"),
        (f"MIG-GPU-{U}/1/0", f"mig-gpu-{U}/1/0"),
        ("GPU-8d4a3e5c2f1b7a90", "gpu-8d4a3e5c2f1b7a90"),
        ("17:00.0", "0000:17:00.0"),
        ("00000000:17:00.0", "0000:17:00.0"),
        ("10000:01:00.0", "10000:01:00.0"),
        *(
            (text, None)
            for text in ("0", "GPU-1", U, "17:00", f"gpu-{U}", "", "all", "GPU-" + U + "\n")
        ),
    ],
)
def test_gpu_names(text: str, name: str | None) -> None:
    assert canonical(text) == name


def test_indices() -> None:
    assert is_index("0") and is_index("0,1") and is_index(" 2, 3 ")
    assert not is_index("17:00.0")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("llama3.1", "registry.ollama.ai/library/llama3.1:latest"),
        ("llama3.1:8b", "registry.ollama.ai/library/llama3.1:8b"),
        ("me/model:tag", "registry.ollama.ai/me/model:tag"),
        ("hf.co/a/B-GGUF:Q4_K_M", "hf.co/a/B-GGUF:Q4_K_M"),
        ("localhost:5000/ns/m:1", "localhost:5000/ns/m:1"),
    ],
)
def test_ollama_tags(text: str, full: str) -> None:
    tag = OllamaTag.parse(text)
    assert str(tag) == full
    assert tag.manifest("/m/") == "/m/manifests/" + full[::-1].replace(":", "/", 1)[::-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "/a",
        "a/",
        "a:",
        ":a",
        "a/b/c/d",
        "../a",
        "a/../b",
        "-a",
        "https://x/y",
        "a\n",
        "a:b:c",
    ],
)
def test_not_ollama_tags(text: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        OllamaTag.parse(text)


# Made up, and put together here so that no scanner takes this file for a leak.
RANDOM = "Zk9fQ2t4N0pX" + "d1A4bUxqVnRzUjNoRg"
HEX = "9f86d081884c7d65" + "9a2feaa0c55ad015" + "a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", "x"),
        ("VLLM_API_KEY", "EMPTY"),
        ("OPENAI_APIKEY", "abc"),
        ("DB_PASSWORD", "12345"),
        ("MY_SECRET_THING", "true"),
        ("AWS_ACCESS_KEY_ID", "abc"),
        ("X", "hf_" + "a1B2" * 5),
        ("X", "prefix sk-" + "abcd" * 5),
        ("X", "https://user:word@host/x"),
        ("X", "redis://:word@host"),
        ("X", "https://host/x?token=abcdef"),
        ("X", '{"api_key": "abcdefgh"}'),
        ("X", RANDOM),
        ("X", HEX),
        ("X", HEX[:32]),
        ("X", "-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_secrets(name: str, value: str) -> None:
    assert why_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_TOKENS", "4096"),
        ("VLLM_TOKEN", "4096"),
        ("HF_TOKEN", ""),
        ("SSL_KEY", "/etc/ssl/key.pem"),
        ("HF_TOKEN_PATH", "/etc/token"),
        ("KEY_CACHE_DTYPE", "fp8_e5m2"),
        ("--kv-cache-dtype", "fp8"),
        ("--stop-token", "<|im_end|>"),
        ("OLLAMA_KEEP_ALIVE", "24h"),
        ("LD_LIBRARY_PATH", "/usr/local/cuda/lib64:/opt/lib"),
        ("GPU", f"GPU-{U},MIG-{U}"),
        ("--revision", HEX[:40]),
        ("IMAGE", f"sha256:{HEX}"),
        ("MODEL_SHA256", HEX),
        ("X", "NousResearch/Hermes3Llama318BInstructAWQINT4"),
        ("X", "vllm.entrypoints.MyVeryLongClassName2HandlerFactory"),
        ("HTTP_PROXY", "http://proxy.example.org:3128"),
        ("NO_PROXY", "localhost,127.0.0.1,10.0.0.0/8"),
        ("NCCL_IB_HCA", "mlx5_0,mlx5_1,mlx5_2,mlx5_3,mlx5_4"),
        ("X", '{"enable_thinking": false, "max_new_tokens": 512}'),
        ("X", "a" * 64),
        ("X", "1234567890123456789012345678901234567890"),
    ],
)
def test_ordinary_values(name: str, value: str) -> None:
    assert why_secret(name, value) is None


def test_secrets_on_a_command_line() -> None:
    args = [
        "--api-key",
        "abc",
        "--api-key=def",
        "--port",
        "1",
        "--hf-token",
        "--verbose",
        "-hft",
        "x",
    ]
    args += ["--api-key-file", "/etc/key", "--ssl-keyfile", "/etc/k", "--max-tokens", "512"]
    assert [(at, option) for at, option, _ in secrets_in_args(args)] == [
        (1, "--api-key"),
        (2, "--api-key"),
        (8, "-hft"),
    ]


def test_names() -> None:
    assert name_says_secret("proxy-passwd")
    assert not name_says_secret("KEYBOARD")
    assert not name_says_secret("")


def test_masked_lines_keep_their_length() -> None:
    for line in ("  HF_TOKEN: abcdef # x", "  args: [--api-key, abcdef, --x]", "password=abcdef"):
        masked = mask(line)
        assert len(masked) == len(line)
        assert "abcdef" not in masked
