"""Models that give vectors. `context` of a BERT is the length of its table of positions.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
`tied` says here that there is no head at all. Poolers are not counted: no engine loads them.
"""

from __future__ import annotations

from functools import partial

from ..shape import Shape, Window
from .entry import entry

_embedding = partial(entry, "embedding", quant="F16", native="F32", embeds=True)

_MINILM_6 = Shape("bert", 6, 384, 12, 12, 32, 1536, 30522, tied=True, context=512)
_SMALL = Shape("bert", 12, 384, 12, 12, 32, 1536, 30522, tied=True, context=512)
_BASE = Shape("bert", 12, 768, 12, 12, 64, 3072, 30522, tied=True, context=512)
_LARGE = Shape("bert", 24, 1024, 16, 16, 64, 4096, 30522, tied=True, context=512)
_XLM_BASE = Shape("bert", 12, 768, 12, 12, 64, 3072, 250002, tied=True, context=512)
_XLM_LARGE = Shape("bert", 24, 1024, 16, 16, 64, 4096, 250002, tied=True, context=512)
_XLM_LONG = Shape("bert", 24, 1024, 16, 16, 64, 4096, 250002, tied=True, context=8192)
_NOMIC = Shape("nomic-bert", 12, 768, 12, 12, 64, 3072, 30528, tied=True, context=8192)

_BERT = (
    _embedding(
        "all-MiniLM-L6-v2",
        22_565_376,
        _MINILM_6,
        hub="sentence-transformers/all-MiniLM-L6-v2",
        tags="all-minilm all-minilm:22m all-minilm:l6-v2",
    ),
    _embedding(
        "all-MiniLM-L12-v2",
        33_212_160,
        _SMALL,
        hub="sentence-transformers/all-MiniLM-L12-v2",
        tags="all-minilm:33m all-minilm:l12-v2",
    ),
    _embedding("bge-small-en-v1.5", 33_212_160, _SMALL, hub="BAAI/bge-small-en-v1.5"),
    _embedding("bge-base-en-v1.5", 108_891_648, _BASE, hub="BAAI/bge-base-en-v1.5"),
    _embedding(
        "bge-large-en-v1.5",
        334_092_288,
        _LARGE,
        hub="BAAI/bge-large-en-v1.5",
        tags="bge-large bge-large:335m",
    ),
    _embedding(
        "mxbai-embed-large-v1",
        334_092_288,
        _LARGE,
        hub="mixedbread-ai/mxbai-embed-large-v1",
        tags="mxbai-embed-large mxbai-embed-large:335m",
        native="F16",
    ),
    _embedding(
        "snowflake-arctic-embed-xs",
        22_565_376,
        _MINILM_6,
        hub="Snowflake/snowflake-arctic-embed-xs",
        tags="snowflake-arctic-embed:22m",
    ),
    _embedding(
        "snowflake-arctic-embed-s",
        33_212_160,
        _SMALL,
        hub="Snowflake/snowflake-arctic-embed-s",
        tags="snowflake-arctic-embed:33m",
    ),
    _embedding(
        "snowflake-arctic-embed-m",
        108_891_648,
        _BASE,
        hub="Snowflake/snowflake-arctic-embed-m snowflake-arctic-embed-m-v1.5",
        tags="snowflake-arctic-embed:110m",
    ),
    _embedding(
        "snowflake-arctic-embed-l",
        334_092_288,
        _LARGE,
        hub="Snowflake/snowflake-arctic-embed-l",
        tags="snowflake-arctic-embed snowflake-arctic-embed:335m",
    ),
    _embedding("e5-large-v2", 334_092_288, _LARGE, hub="intfloat/e5-large-v2"),
    _embedding("e5-base-v2", 108_891_648, _BASE, hub="intfloat/e5-base-v2"),
)

_MULTILINGUAL = (
    _embedding("multilingual-e5-base", 277_453_056, _XLM_BASE, hub="intfloat/multilingual-e5-base"),
    _embedding(
        "paraphrase-multilingual-mpnet-base-v2",
        277_453_056,
        _XLM_BASE,
        hub="sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
        tags="paraphrase-multilingual paraphrase-multilingual:278m",
    ),
    _embedding(
        "multilingual-e5-large-instruct",
        558_840_832,
        _XLM_LARGE,
        hub="intfloat/multilingual-e5-large-instruct multilingual-e5-large",
    ),
    _embedding("bge-m3", 566_705_152, _XLM_LONG, hub="BAAI/bge-m3", tags="bge-m3 bge-m3:567m"),
    _embedding("bge-reranker-v2-m3", 566_705_152, _XLM_LONG, hub="BAAI/bge-reranker-v2-m3"),
    _embedding(
        "snowflake-arctic-embed-l-v2.0",
        566_705_152,
        _XLM_LONG,
        hub="Snowflake/snowflake-arctic-embed-l-v2.0",
        tags="snowflake-arctic-embed2 snowflake-arctic-embed2:568m",
    ),
)

_LONG = (
    _embedding(
        "nomic-embed-text-v1.5",
        136_731_648,
        _NOMIC,
        hub="nomic-ai/nomic-embed-text-v1.5 nomic-embed-text-v1",
        tags="nomic-embed-text nomic-embed-text:v1.5 nomic-embed-text:137m-v1.5",
    ),
    _embedding(
        "snowflake-arctic-embed-m-long",
        136_731_648,
        _NOMIC,
        hub="Snowflake/snowflake-arctic-embed-m-long",
        tags="snowflake-arctic-embed:137m",
    ),
    _embedding(
        "jina-embeddings-v2-base-en",
        136_777_728,
        Shape("jina-bert-v2", 12, 768, 12, 12, 64, 3072, 30528, tied=True, context=8192),
        hub="jinaai/jina-embeddings-v2-base-en",
        native="F16",
    ),
    _embedding(
        "jina-embeddings-v2-base-de",
        160_223_232,
        Shape("jina-bert-v2", 12, 768, 12, 12, 64, 3072, 61056, tied=True, context=8192),
        hub="jinaai/jina-embeddings-v2-base-de jina-embeddings-v2-base-es",
        native="F16",
    ),
)

_DECODERS = (
    _embedding(
        "embeddinggemma-300m",
        307_581_696,
        Shape(
            "gemma-embedding",
            24,
            768,
            3,
            1,
            256,
            1152,
            262144,
            tied=True,
            window=Window(512, 20),
            context=2048,
            other_parameters=4_718_592,
        ),
        hub="google/embeddinggemma-300m",
        tags="embeddinggemma embeddinggemma:300m",
        quant="BF16",
    ),
    _embedding(
        "Qwen3-Embedding-0.6B",
        595_776_512,
        Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151669, tied=True, context=32768),
        hub="Qwen/Qwen3-Embedding-0.6B",
        tags="qwen3-embedding:0.6b",
        quant="Q8_0",
        native="BF16",
    ),
    _embedding(
        "Qwen3-Embedding-4B",
        4_021_774_336,
        Shape("qwen3", 36, 2560, 32, 8, 128, 9728, 151665, tied=True, context=40960),
        hub="Qwen/Qwen3-Embedding-4B",
        tags="qwen3-embedding:4b",
        quant="Q4_K_M",
        native="BF16",
    ),
    _embedding(
        "Qwen3-Embedding-8B",
        7_567_295_488,
        Shape("qwen3", 36, 4096, 32, 8, 128, 12288, 151665, tied=True, context=40960),
        hub="Qwen/Qwen3-Embedding-8B",
        tags="qwen3-embedding qwen3-embedding:8b",
        quant="Q4_K_M",
        native="BF16",
    ),
    _embedding(
        "gte-Qwen2-1.5B-instruct",
        1_776_197_120,
        Shape("qwen2", 28, 1536, 12, 2, 128, 8960, 151646, context=131072),
        hub="Alibaba-NLP/gte-Qwen2-1.5B-instruct",
    ),
    _embedding(
        "gte-Qwen2-7B-instruct",
        7_612_620_288,
        Shape("qwen2", 28, 3584, 28, 4, 128, 18944, 151646, context=131072),
        hub="Alibaba-NLP/gte-Qwen2-7B-instruct",
    ),
    _embedding(
        "e5-mistral-7b-instruct",
        7_110_660_096,
        Shape("llama", 32, 4096, 32, 8, 128, 14336, 32000, tied=True, context=32768),
        hub="intfloat/e5-mistral-7b-instruct",
        native="F16",
    ),
)

MODELS = _BERT + _MULTILINGUAL + _LONG + _DECODERS
