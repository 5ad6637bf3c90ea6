"""Models of makers with one or two families: Granite, OLMo, Yi, InternLM.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape
from .entry import entry

_GRANITE_2B = Shape("granite", 40, 2048, 32, 8, 64, 8192, 49155, tied=True, context=131072)
_GRANITE_8B = Shape("granite", 40, 4096, 32, 8, 128, 12800, 49155, tied=True, context=131072)
_GRANITE_1B_MOE = Shape(
    "granitemoe",
    24,
    1024,
    16,
    8,
    64,
    0,
    49155,
    tied=True,
    experts=Experts(32, 8, 512),
    context=131072,
)
_GRANITE_3B_MOE = Shape(
    "granitemoe",
    32,
    1536,
    24,
    8,
    64,
    0,
    49155,
    tied=True,
    experts=Experts(40, 8, 512),
    context=131072,
)
_granite = partial(entry, "Granite")

_GRANITE = (
    _granite(
        "granite-3.1-2b-instruct",
        2_533_531_648,
        _GRANITE_2B,
        hub="ibm-granite/granite-3.1-2b-instruct granite-3.1-2b-base granite-3.2-2b-instruct",
        tags="granite3.1-dense:2b granite3.2:2b",
    ),
    _granite(
        "granite-3.1-8b-instruct",
        8_170_848_256,
        _GRANITE_8B,
        hub="ibm-granite/granite-3.1-8b-instruct granite-3.1-8b-base granite-3.2-8b-instruct",
        tags="granite3.1-dense granite3.1-dense:8b granite3.2 granite3.2:8b",
    ),
    _granite(
        "granite-3.3-2b-instruct",
        2_533_539_840,
        replace(_GRANITE_2B, vocab=49159),
        hub="ibm-granite/granite-3.3-2b-instruct",
        tags="granite3.3:2b",
    ),
    _granite(
        "granite-3.3-8b-instruct",
        8_170_864_640,
        replace(_GRANITE_8B, vocab=49159),
        hub="ibm-granite/granite-3.3-8b-instruct",
        tags="granite3.3 granite3.3:8b",
    ),
    _granite(
        "granite-3.1-1b-a400m-instruct",
        1_334_628_352,
        _GRANITE_1B_MOE,
        hub="ibm-granite/granite-3.1-1b-a400m-instruct",
        tags="granite3.1-moe:1b",
        quant="Q8_0",
    ),
    _granite(
        "granite-3.1-3b-a800m-instruct",
        3_298_793_472,
        _GRANITE_3B_MOE,
        hub="ibm-granite/granite-3.1-3b-a800m-instruct",
        tags="granite3.1-moe granite3.1-moe:3b",
    ),
)

_olmo = partial(entry, "OLMo")
_OLMO = (
    _olmo(
        "OLMo-2-0425-1B-Instruct",
        1_484_916_736,
        Shape("olmo2", 16, 2048, 16, 16, 128, 8192, 100352, context=4096),
        hub="allenai/OLMo-2-0425-1B-Instruct OLMo-2-0425-1B",
    ),
    _olmo(
        "OLMo-2-1124-7B-Instruct",
        7_298_617_344,
        Shape("olmo2", 32, 4096, 32, 32, 128, 11008, 100352, context=4096),
        hub="allenai/OLMo-2-1124-7B-Instruct OLMo-2-1124-7B",
        tags="olmo2 olmo2:7b",
    ),
    _olmo(
        "OLMo-2-1124-13B-Instruct",
        13_716_198_400,
        Shape("olmo2", 40, 5120, 40, 40, 128, 13824, 100352, context=4096),
        hub="allenai/OLMo-2-1124-13B-Instruct OLMo-2-1124-13B",
        tags="olmo2:13b",
    ),
    _olmo(
        "OLMo-2-0325-32B-Instruct",
        32_234_279_936,
        Shape("olmo2", 64, 5120, 40, 8, 128, 27648, 100352, context=4096),
        hub="allenai/OLMo-2-0325-32B-Instruct OLMo-2-0325-32B",
    ),
)

_yi = partial(entry, "Yi", quant="Q4_0")
_YI = (
    _yi(
        "Yi-1.5-6B-Chat",
        6_061_035_520,
        Shape("llama", 32, 4096, 32, 4, 128, 11008, 64000, context=4096),
        hub="01-ai/Yi-1.5-6B-Chat Yi-1.5-6B Yi-6B-Chat Yi-6B",
        tags="yi yi:6b",
    ),
    _yi(
        "Yi-1.5-9B-Chat",
        8_829_407_232,
        Shape("llama", 48, 4096, 32, 4, 128, 11008, 64000, context=4096),
        hub="01-ai/Yi-1.5-9B-Chat Yi-1.5-9B",
        tags="yi:9b",
    ),
    _yi(
        "Yi-1.5-34B-Chat",
        34_388_917_248,
        Shape("llama", 60, 7168, 56, 8, 128, 20480, 64000, context=4096),
        hub="01-ai/Yi-1.5-34B-Chat Yi-1.5-34B Yi-34B-Chat Yi-34B",
        tags="yi:34b",
    ),
)

_internlm = partial(entry, "InternLM")
_INTERNLM = (
    _internlm(
        "internlm2_5-1_8b-chat",
        1_889_110_016,
        Shape("internlm2", 24, 2048, 16, 8, 128, 8192, 92544, context=32768),
        hub="internlm/internlm2_5-1_8b-chat internlm2-chat-1_8b",
        tags="internlm2:1.8b",
        quant="Q4_0",
    ),
    _internlm(
        "internlm2_5-7b-chat",
        7_737_708_544,
        Shape("internlm2", 32, 4096, 32, 8, 128, 14336, 92544, context=32768),
        hub="internlm/internlm2_5-7b-chat internlm2-chat-7b",
        tags="internlm2 internlm2:7b",
        quant="Q4_0",
    ),
    _internlm(
        "internlm2_5-20b-chat",
        19_861_149_696,
        Shape("internlm2", 48, 6144, 48, 8, 128, 16384, 92544, context=32768),
        hub="internlm/internlm2_5-20b-chat internlm2-chat-20b",
        tags="internlm2:20b",
        quant="Q4_0",
    ),
    _internlm(
        "internlm3-8b-instruct",
        8_804_241_408,
        Shape("llama", 48, 4096, 32, 2, 128, 10240, 128512, context=32768),
        hub="internlm/internlm3-8b-instruct",
    ),
)

MODELS = _GRANITE + _OLMO + _YI + _INTERNLM
