"""Zhipu's GLM-4 to GLM-4.6.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
The files of GLM-4.5 and 4.6 hold one more layer for multi-token prediction; that of 4.5 brings
its own input table and head.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape
from .entry import entry

_glm = partial(entry, "GLM")

_4_9B = Shape("chatglm", 40, 4096, 32, 2, 128, 13696, 151552, context=131072)
_4_32B = Shape("glm4", 61, 6144, 48, 2, 128, 23040, 151552, context=32768)
_4_5 = Shape(
    "glm4moe",
    92,
    5120,
    96,
    8,
    128,
    12288,
    151552,
    experts=Experts(160, 8, 1536, shared_ffn=1536, dense_layers=3),
    context=131072,
    other_parameters=5_539_962_272,
    qk_norm=True,
)

MODELS = (
    _glm(
        "chatglm3-6b",
        6_243_584_000,
        Shape("chatglm", 28, 4096, 32, 2, 128, 13696, 65024, context=8192),
        hub="zai-org/chatglm3-6b THUDM/chatglm3-6b",
        native="F16",
    ),
    _glm(
        "glm-4-9b-chat",
        9_399_951_360,
        _4_9B,
        hub="zai-org/glm-4-9b-chat glm-4-9b-chat-hf THUDM/glm-4-9b-chat glm-4-9b-chat-hf",
        tags="glm4 glm4:9b",
        quant="Q4_0",
    ),
    _glm(
        "GLM-4-9B-0414",
        9_400_279_040,
        replace(_4_9B, architecture="glm4", context=32768),
        hub="zai-org/GLM-4-9B-0414 GLM-Z1-9B-0414 THUDM/GLM-4-9B-0414 GLM-Z1-9B-0414",
    ),
    _glm(
        "GLM-4-32B-0414",
        32_566_487_552,
        _4_32B,
        hub="zai-org/GLM-4-32B-0414 GLM-Z1-32B-0414 THUDM/GLM-4-32B-0414 GLM-Z1-32B-0414",
    ),
    _glm(
        "GLM-4.5-Air",
        110_468_824_832,
        Shape(
            "glm4moe",
            46,
            4096,
            96,
            8,
            128,
            10944,
            151552,
            experts=Experts(128, 8, 1408, shared_ffn=1408, dense_layers=1),
            context=131072,
            other_parameters=3_616_573_568,
        ),
        hub="zai-org/GLM-4.5-Air GLM-4.5-Air-Base",
    ),
    _glm("GLM-4.5", 358_337_791_296, _4_5, hub="zai-org/GLM-4.5 GLM-4.5-Base"),
    _glm(
        "GLM-4.6",
        356_785_898_816,
        replace(_4_5, context=202752, other_parameters=3_988_069_792),
        hub="zai-org/GLM-4.6",
    ),
)
