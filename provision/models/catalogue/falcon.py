"""The Falcons of TII: the first ones with two matrices a layer and few KV heads, and Falcon 3.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
The files of the first ones hold the head besides the input table although both are the same.
"""

from __future__ import annotations

from functools import partial

from ..shape import Shape
from .entry import entry

_falcon = partial(entry, "Falcon")

MODELS = (
    _falcon(
        "falcon-7b-instruct",
        7_217_189_760,
        Shape("falcon", 32, 4544, 71, 1, 64, 18176, 65024, context=2048),
        hub="tiiuae/falcon-7b-instruct falcon-7b",
        tags="falcon falcon:7b",
        quant="Q4_0",
    ),
    _falcon(
        "falcon-40b-instruct",
        41_835_970_560,
        Shape("falcon", 60, 8192, 128, 8, 64, 32768, 65024, context=2048),
        hub="tiiuae/falcon-40b-instruct falcon-40b",
        tags="falcon:40b",
        quant="Q4_0",
    ),
    _falcon(
        "falcon-180B-chat",
        179_522_565_120,
        Shape("falcon", 80, 14848, 232, 8, 64, 59392, 65024, context=2048),
        hub="tiiuae/falcon-180B-chat falcon-180B",
        tags="falcon:180b",
        quant="Q4_0",
    ),
    _falcon(
        "falcon-11B",
        11_102_822_400,
        Shape("falcon", 60, 4096, 32, 8, 128, 16384, 65024, context=8192),
        hub="tiiuae/falcon-11B",
        tags="falcon2 falcon2:11b",
        quant="Q4_0",
    ),
    _falcon(
        "Falcon3-1B-Instruct",
        1_669_408_768,
        Shape("llama", 18, 2048, 8, 4, 256, 8192, 131072, context=8192),
        hub="tiiuae/Falcon3-1B-Instruct Falcon3-1B-Base",
        tags="falcon3:1b",
        quant="Q8_0",
    ),
    _falcon(
        "Falcon3-3B-Instruct",
        3_227_655_168,
        Shape("llama", 22, 3072, 12, 4, 256, 9216, 131072, context=32768),
        hub="tiiuae/Falcon3-3B-Instruct Falcon3-3B-Base",
        tags="falcon3:3b",
    ),
    _falcon(
        "Falcon3-7B-Instruct",
        7_455_550_464,
        Shape("llama", 28, 3072, 12, 4, 256, 23040, 131072, context=32768),
        hub="tiiuae/Falcon3-7B-Instruct Falcon3-7B-Base",
        tags="falcon3 falcon3:7b",
    ),
    _falcon(
        "Falcon3-10B-Instruct",
        10_305_653_760,
        Shape("llama", 40, 3072, 12, 4, 256, 23040, 131072, context=32768),
        hub="tiiuae/Falcon3-10B-Instruct Falcon3-10B-Base",
        tags="falcon3:10b",
    ),
)
