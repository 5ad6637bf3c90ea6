"""The shape of a model by the keys of its GGUF header.

Names of keys and what they mean: gguf-py/gguf/constants.py and src/llama-model.cpp of llama.cpp.
"""

from __future__ import annotations

from provision.host.facts import ModelFound

from ..shape import Experts, Latent, Shape
from ..weights import Quantisation
from .endings import gguf_name
from .kept import Cache, Kept, cache_of, mean, with_latent
from .keys import MOST_EXPERTS, MOST_LAYERS, MOST_TOKENS, MOST_VOCABULARY, Keys, UnclearError

_STEP = 512  # tokens that llama.cpp keeps beside a sliding window (n_ubatch)
# One layer in so many sees everything; llama.cpp has it in its code, not in the file.
_PERIODS = {
    "afmoe": 4, "cohere2": 4, "exaone4": 4, "gemma-embedding": 6, "gemma2": 2, "gemma3": 6,
    "gemma3n": 5, "gpt-oss": 2, "llama4": 4, "modern-bert": 3, "olmo2": 4, "plamo3": 8,
    "smallthinker": 4,
}  # fmt: skip
# Windows that old files do not state, since they were the only ones of the kind.
_WINDOWS = {"gemma2": 4096, "llama4": 8192}
_ALL_RECURRENT = frozenset(("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"))
_INTERVALS = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
# A dense network stands beside the experts of a layer, so every token uses it.
_DENSE_BESIDE = frozenset(("arctic", "gemma4", "grok"))
# general.file_type: llama_ftype of include/llama.h. 4 was given up there; Ollama's files of
# gpt-oss say MXFP4 by it (fs/ggml/type.go).
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 4: "MXFP4", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1",
    10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M",
    16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S",
    22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0",
    38: "MXFP4",
}  # fmt: skip


def gguf_shape(found: ModelFound) -> Shape:
    """tied and other_parameters are left at their defaults: the keys do not tell them.

    Raises UnclearError.
    """
    architecture = _architecture(found)
    keys = Keys.of(found, f"{architecture}.")
    blocks = keys.need("block_count", most=MOST_LAYERS)
    # Layers for predicting several tokens at a time are counted in, but keep nothing (GLM-4.5).
    ahead = keys.whole("nextn_predict_layers", most=blocks - 1, least=0) or 0
    layers = blocks - ahead
    hidden = keys.need("embedding_length")
    heads = max(keys.each(layers, "attention.head_count") or (0,))
    kept = _kept(architecture, keys, layers, hidden, heads)
    cache = cache_of(kept, _STEP)
    experts, ffn = _feed_forward(architecture, keys, layers)
    shape = Shape(
        architecture,
        layers,
        hidden,
        max(heads, 1),
        cache.kv_heads,
        cache.head_dim,
        ffn,
        _vocabulary(found, keys),
        value_dim=cache.value_dim if cache.value_dim != cache.head_dim else None,
        experts=experts,
        window=cache.window,
        recurrent=cache.recurrent,
        context=keys.whole("context_length", most=MOST_TOKENS),
    )
    return with_latent(shape, _latent(keys, cache))


def gguf_quantisation(found: ModelFound) -> Quantisation | None:
    """By the file's own word, else by the type that most bytes are of."""
    number = Keys.of(found).whole("general.file_type", most=1 << 16, least=0)
    if number is not None and number & ~1024 in _FILE_TYPES:  # 1024: llama.cpp guessed it
        return Quantisation("gguf", _FILE_TYPES[number & ~1024])
    sizes = {name: size for name, size in found.weights.items() if size > 0}
    if not sizes:
        return None
    return Quantisation("gguf", gguf_name(max(sorted(sizes), key=lambda name: sizes[name])))


def gguf_embeds(found: ModelFound) -> bool:
    """Whether the file says how its vectors are pooled; 0 stands for not at all."""
    keys = Keys.of(found, f"{found.architecture}.")
    return bool(keys.whole("pooling_type", most=16)) or "bert" in (found.architecture or "")


def _architecture(found: ModelFound) -> str:
    architecture = Keys.of(found).text("general.architecture") or found.architecture
    kind = Keys.of(found).text("general.type")
    if kind == "adapter":
        raise UnclearError("it is an adapter, not a model")
    if architecture == "clip" or kind == "mmproj":
        raise UnclearError("it is the projector of a vision model, not the model")
    if not architecture:
        raise UnclearError("its header does not say general.architecture")
    return architecture


def _vocabulary(found: ModelFound, keys: Keys) -> int:
    """The tokens that the file lists; some files have a table of embeddings alone."""
    listed = Keys.of(found).whole("tokenizer.ggml.tokens.count", most=MOST_VOCABULARY)
    return listed or keys.need("vocab_size", most=MOST_VOCABULARY)


def _kept(architecture: str, keys: Keys, layers: int, hidden: int, heads: int) -> list[Kept]:
    """What each layer keeps. Raises UnclearError."""
    recurrent = _recurrent(architecture, keys, layers)
    if not heads and not all(recurrent):
        raise UnclearError(f"its {keys.prefix}attention.head_count is missing or 0")
    query_heads = keys.each(layers, "attention.head_count") or (heads,) * layers
    kv_heads = keys.each(layers, "attention.head_count_kv") or query_heads
    usual = max(1, hidden // max(heads, 1))
    key = keys.whole("attention.key_length") or usual
    value = keys.whole("attention.value_length") or usual
    own_key = keys.whole("attention.key_length_swa") or key
    own_value = keys.whole("attention.value_length_swa") or value
    tokens, windowed = _windows(architecture, keys, layers)
    sharing = keys.whole("attention.shared_kv_layers", most=layers - 1, least=0) or 0
    state, mixer = _state(keys, hidden), _mixer(keys, hidden)
    narrow = keys.each(layers, "feed_forward_length") if architecture == "nemotron_h" else None
    kept = []
    for at in range(layers):
        if recurrent[at] or not kv_heads[at]:
            idle = narrow is not None and narrow[at] > 0  # a feed-forward layer of its own
            kept.append(Kept(0, key, value, None, 0 if idle else state, 0 if idle else mixer))
        elif at >= layers - sharing:  # reads the cache of a layer below (Gemma 3n)
            kept.append(Kept(0, key, value))
        elif windowed[at]:
            kept.append(Kept(kv_heads[at], own_key, own_value, tokens))
        else:
            kept.append(Kept(kv_heads[at], key, value))
    return kept


def _windows(architecture: str, keys: Keys, layers: int) -> tuple[int, tuple[bool, ...]]:
    """The window's tokens, and which layers have it.

    Of an architecture that is not listed a window counts only with its pattern: llama.cpp ignores
    it in many (Phi 3, Mistral), and a whole cache is the safe side.
    """
    tokens = keys.whole("attention.sliding_window", most=MOST_TOKENS, least=0)
    if tokens is None:
        tokens = _WINDOWS.get(architecture, 0)
    listed = keys.wholes("attention.sliding_window_pattern", most=1)
    if not tokens:
        return 0, (False,) * layers
    if listed is not None:
        return tokens, tuple(listed[at % len(listed)] == 1 for at in range(layers))
    period = keys.whole("attention.sliding_window_pattern", most=MOST_LAYERS)
    period = period or _PERIODS.get(architecture, 1)
    return tokens, tuple(at % period < period - 1 for at in range(layers))


def _recurrent(architecture: str, keys: Keys, layers: int) -> tuple[bool, ...]:
    if architecture in _ALL_RECURRENT:
        return (True,) * layers
    interval = keys.whole("full_attention_interval", most=MOST_LAYERS)
    interval = interval or _INTERVALS.get(architecture)
    if interval is None:
        return (False,) * layers
    return tuple((at + 1) % interval != 0 for at in range(layers))


def _state(keys: Keys, hidden: int) -> int:
    """Bytes of one recurrent layer for one request; llama.cpp keeps both parts as F32."""
    inner, state, groups = _ssm(keys)
    kernel = keys.whole("ssm.conv_kernel") or 1
    if inner and state:
        return 4 * ((kernel - 1) * (inner + 2 * groups * state) + state * inner)
    short = keys.whole("shortconv.l_cache")
    if short:
        return 4 * (short - 1) * hidden
    head = keys.whole("wkv.head_size")
    if head:
        return 4 * hidden * ((keys.whole("token_shift_count") or 2) + head)
    head = keys.whole("kda.head_dim")
    heads = max(keys.each(1, "attention.head_count") or (0,))
    return 4 * heads * head * (3 * (kernel - 1) + head) if head else 0


def _mixer(keys: Keys, hidden: int) -> int:
    inner, state, groups = _ssm(keys)
    if inner and state:
        return hidden * (3 * inner + 2 * groups * state + (keys.whole("ssm.time_step_rank") or 0))
    return 4 * hidden * hidden if keys.has("shortconv.l_cache", "wkv.head_size") else 0


def _ssm(keys: Keys) -> tuple[int, int, int]:
    inner, state = keys.whole("ssm.inner_size") or 0, keys.whole("ssm.state_size") or 0
    return inner, state, keys.whole("ssm.group_count", least=0) or 0


def _feed_forward(architecture: str, keys: Keys, layers: int) -> tuple[Experts | None, int]:
    """Experts, and the width of dense layers: 0 where there are none."""
    dense = mean(keys.each(layers, "feed_forward_length") or (0,))
    count = keys.whole("expert_count", most=MOST_EXPERTS)
    if count is None:
        return None, dense
    width = keys.whole("expert_feed_forward_length") or dense
    if not width:
        raise UnclearError(f"it does not say {keys.prefix}expert_feed_forward_length")
    shared = keys.whole("expert_shared_feed_forward_length")
    if shared is None:
        shared = (keys.whole("expert_shared_count", most=MOST_EXPERTS) or 0) * width
    if architecture == "llama4":  # llama.cpp takes the width of one expert for it
        shared = shared or width
    if architecture in _DENSE_BESIDE and width != dense:
        shared += dense
    leading = keys.whole("leading_dense_block_count", most=layers, least=0) or 0
    every = keys.whole("interleave_moe_layer_step", most=layers) or 1
    used = keys.whole("expert_used_count", most=count) or count
    experts = Experts(count, used, width, shared, leading, every)
    return experts, dense if leading or every > 1 else 0


def _latent(keys: Keys, cache: Cache) -> Latent | None:
    """Latent attention where llama.cpp uses it: files made before April 2025 lack the keys.

    From such files it keeps whole keys and values of every head (LLM_KV_ATTENTION_KEY_LENGTH_MLA
    missing: llama_hparams::is_mla is false), a cache some 50 times as large.
    """
    rank = keys.whole("attention.kv_lora_rank")
    key = keys.whole("attention.key_length_mla")
    if rank is None or key is None:
        return None
    rope = keys.whole("rope.dimension_count") or max(cache.head_dim - rank, 1)
    value = keys.whole("attention.value_length_mla") or cache.value_dim
    return Latent(rank, rope, max(key - rope, 1), value, keys.whole("attention.q_lora_rank"))
