"""Models of every kind of attention, and what engines are told, for the tests of memory."""

from __future__ import annotations

from provision.models.formats.stored import weigh_stored
from provision.models.memory.need import GpuNeed, Load, Part
from provision.models.model import Model
from provision.models.shape import Experts, Latent, Recurrent, Shape, Window
from provision.models.weights import Quantisation, Weights

MIB = 1 << 20
GIB = 1 << 30

LLAMA_8B = Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256, context=131072)
LLAMA_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256, context=131072)
LLAMA_1B = Shape("llama", 16, 2048, 32, 8, 64, 8192, 128256, tied=True, context=131072)
QWEN_72B = Shape("qwen2", 80, 8192, 64, 8, 128, 29568, 152064)
QWEN_MOE = Shape(
    "qwen3moe", 48, 2048, 32, 4, 128, 0, 151936, experts=Experts(128, 8, 768), context=40960
)
GEMMA = Shape(
    "gemma3", 62, 5376, 32, 16, 128, 21504, 262208, tied=True, window=Window(1024, 52),
    other_parameters=420_000_000,
)  # fmt: skip
DEEPSEEK = Shape(
    "deepseek2", 61, 7168, 128, 128, 192, 18432, 129280, value_dim=128,
    experts=Experts(256, 8, 2048, shared_ffn=2048, dense_layers=3),
    latent=Latent(512, 64, 128, 128, 1536), other_parameters=13_463_000_000,
)  # fmt: skip
HYBRID = Shape(
    "qwen3next", 48, 2048, 16, 2, 256, 0, 151936,
    experts=Experts(512, 10, 512, shared_ffn=512),
    recurrent=Recurrent(36, 1_200_000, 33_000_000),
)  # fmt: skip
SHAPES = (LLAMA_8B, LLAMA_70B, LLAMA_1B, QWEN_MOE, GEMMA, DEEPSEEK, HYBRID)


def stored(shape: Shape, name: str = "BF16") -> Model:
    weights = weigh_stored(shape, Quantisation("safetensors", name))
    return Model(shape.architecture, shape.architecture, "catalogue", weights, shape)


def gguf(shape: Shape, tensors: int) -> Model:
    """A Q4_K_M file: the table in Q4_K, the head in Q6_K, all layers alike."""
    embedding = shape.vocab * shape.hidden * 144 // 256
    output = shape.vocab * shape.hidden * 210 // 256
    each, extra = divmod(tensors - embedding - output, shape.layers)
    layers = tuple(each + (extra if number == 0 else 0) for number in range(shape.layers))
    weights = Weights(
        Quantisation("gguf", "Q4_K_M"), tensors, embedding, output, layers, 0, tensors - embedding
    )
    return Model("model.gguf", "model", "files", weights, shape)


LLAMA_70B_GGUF = gguf(LLAMA_70B, 42_520_398_400 - 7_850_000)
QWEN_72B_GGUF = gguf(QWEN_72B, 47_415_700_000 - 5_950_000)
OLD = Load("llama-server", 2048, 1, flash_attention=False)
GGUF_LOAD = Load("llama-server", 8192, 1)
VLLM = Load("vllm", 8192, 256)


def part(gpu: GpuNeed, name: str) -> Part:
    (found,) = [each for each in gpu.parts if each.name == name]
    return found
