"""Active parameters, against what the makers say of their models."""

from __future__ import annotations

import pytest

from provision.models.shape import Experts, Latent, Shape
from provision.plan.cost.active import head_parameters, layer_parameters

MIXTRAL = Shape(
    "llama", 32, 4096, 32, 8, 128, 0, 32000, experts=Experts(count=8, used=2, ffn=14336)
)
GPT_OSS_120B = Shape(
    "gpt-oss", 36, 2880, 64, 8, 64, 0, 201088, experts=Experts(count=128, used=4, ffn=2880)
)
DEEPSEEK_V3 = Shape(
    "deepseek2", 61, 7168, 128, 128, 192, 18432, 129280,
    experts=Experts(count=256, used=8, ffn=2048, shared_ffn=2048, dense_layers=3),
    latent=Latent(512, 64, 128, 128, 1536),
)  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "billions"),
    [
        (Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256), 70.6 - 1.05),  # no input table
        (MIXTRAL, 12.9 - 0.13),
        (GPT_OSS_120B, 5.1),
        (DEEPSEEK_V3, 37.0),
    ],
    ids=["Llama 3 70B", "Mixtral 8x7B", "gpt-oss-120b", "DeepSeek V3"],
)
def test_published_counts(shape: Shape, billions: float) -> None:
    total = layer_parameters(shape) + head_parameters(shape)
    assert total / 1e9 == pytest.approx(billions, rel=0.02)


def test_every_other_layer_has_experts() -> None:
    """As in Llama 4 Maverick: half of the layers keep the plain network."""
    experts = Experts(count=4, used=1, ffn=100, every=2)
    shape = Shape("llama4", 4, 10, 1, 1, 10, 1000, 50, experts=experts)
    attention = 4 * (10 * 10 * 4)
    assert layer_parameters(shape) == attention + 10 * (3 * (2 * 100 + 2 * 1000) + 2 * 4)
