"""What each layer keeps, by config.json: full attention, windows, states, nothing."""

from __future__ import annotations

from .kept import Kept
from .keys import MOST_LAYERS, MOST_TOKENS, Keys, UnclearError

_WINDOWED = frozenset(("sliding_attention", "chunked_attention", "local_attention", "sliding"))
_WITH_STATE = frozenset(
    ("linear_attention", "mamba", "mamba2", "recurrent", "conv", "short_conv", "kda", "gdn")
)
# One layer in so many sees everything, where config.json leaves it to the class.
_PERIODS = {"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "cohere2": 4, "llama4_text": 4,
            "gemma3n_text": 5, "gemma4_text": 6, "gpt_oss": 2}  # fmt: skip
_ALL_WINDOWED = frozenset(("mistral", "mixtral", "phi3", "starcoder2"))
_INTERVALS = {"qwen3_next": 4, "qwen3_5_text": 4, "qwen3_5_moe_text": 4}
_LETTERS = {"M": "mamba", "*": "full_attention", "-": "none", "E": "none"}  # Nemotron-H
# Layers that config.json describes by lists of mappings, which inspection does not keep.
_IMAGE_TOKENS = 6404  # that Llama 3.2 Vision's cross-attention sees: 4 tiles of 1,601 patches
_UNTOLD = frozenset(("nemotron-nas", "deci"))


def config_kept(kind: str, keys: Keys, layers: int, hidden: int, heads: int) -> list[Kept]:
    """One for each layer. Raises UnclearError."""
    if kind in _UNTOLD:
        raise UnclearError("its layers differ, and config.json alone does not tell how here")
    kinds = _kinds(kind, keys, layers)
    key, value = _dimensions(keys, hidden, heads)
    full = _kv_heads(kind, keys, layers, heads)
    wide_key = keys.whole("global_head_dim") or key  # Gemma 4: of layers that see everything
    wide_value = keys.whole("global_head_dim") or value
    wide = keys.whole("num_global_key_value_heads")
    if keys.flag("attention_k_eq_v") is not True:
        wide = None
    own = keys.whole("swa_num_key_value_heads")  # MiMo V2: of layers with a window
    own_key = keys.whole("swa_head_dim") or key
    own_value = keys.whole("swa_v_head_dim") or value
    tokens = _window(kind, keys)
    sharing = keys.whole("num_kv_shared_layers", most=layers - 1, least=0) or 0
    state, mixer = _state(kind, keys, hidden)
    kept = []
    for at, what in enumerate(kinds):
        if what in _WITH_STATE:
            kept.append(Kept(0, key, value, None, state, mixer))
        elif what == "none" or at >= layers - sharing:
            kept.append(Kept(0, key, value))
        elif what == "cross":
            kept.append(Kept(full[at], key, value, _IMAGE_TOKENS))
        elif what in _WINDOWED and tokens:
            kept.append(Kept(own or full[at], own_key, own_value, tokens))
        else:
            kept.append(Kept(wide or full[at], wide_key, wide_value))
    return kept


def _dimensions(keys: Keys, hidden: int, heads: int) -> tuple[int, int]:
    """Of keys and of values."""
    nope, rope = keys.whole("qk_nope_head_dim"), keys.whole("qk_rope_head_dim")
    key = keys.whole("head_dim", "kv_channels", "attention_head_dim") or max(1, hidden // heads)
    if nope and rope:
        key = nope + rope
    return key, keys.whole("v_head_dim") or key


def _kv_heads(kind: str, keys: Keys, layers: int, heads: int) -> tuple[int, ...]:
    """Of each layer."""
    if kind in ("falcon", "RefinedWeb", "RefinedWebModel"):
        return (_falcon_heads(keys, heads),) * layers
    told = keys.each(
        layers, "num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_head_kv",
        "multi_query_group_num", "attn_config.kv_n_heads", "num_key_value_heads_per_layer",
    )  # fmt: skip
    if told is not None and any(told):
        return told
    if keys.flag("multi_query") is True:
        return (1,) * layers
    return (heads,) * layers


def _falcon_heads(keys: Keys, heads: int) -> int:
    """num_kv_heads counts only in the new architecture; 7B has one for all queries."""
    if keys.flag("new_decoder_architecture") is True:
        return keys.whole("num_kv_heads", "n_head_kv") or heads
    return heads if keys.flag("multi_query") is False else 1


def _window(kind: str, keys: Keys) -> int:
    if kind == "llama4_text":
        return keys.whole("attention_chunk_size", most=MOST_TOKENS) or 0
    if keys.flag("use_sliding_window") is False:
        return 0
    return keys.whole("sliding_window", "sliding_window_size", most=MOST_TOKENS) or 0


def _kinds(kind: str, keys: Keys, layers: int) -> list[str]:
    """Of each layer. What is not told at all is full attention, the safe side."""
    told = keys.texts("layer_types", "layers_block_type", "block_types", "_block_types")
    if told:
        return [told[at % len(told)] for at in range(layers)]
    crossing = keys.wholes("cross_attention_layers", most=MOST_LAYERS)
    if crossing:
        return ["cross" if at in crossing else "full_attention" for at in range(layers)]
    letters = keys.text("hybrid_override_pattern")
    if letters:
        if len(letters) != layers:
            raise UnclearError("its hybrid_override_pattern is not as long as it has layers")
        return [_LETTERS.get(one, "full_attention") for one in letters]
    attending = _attending(kind, keys, layers)
    if attending is not None:
        return ["full_attention" if one else "mamba" for one in attending]
    return [
        "sliding_attention" if one else "full_attention" for one in _sliding(kind, keys, layers)
    ]


def _attending(kind: str, keys: Keys, layers: int) -> list[bool] | None:
    """Which layers have attention at all; None: every one."""
    if kind in ("mamba", "mamba2", "falcon_mamba", "rwkv"):
        return [False] * layers
    interval = keys.whole("full_attention_interval", most=MOST_LAYERS) or _INTERVALS.get(kind)
    if interval:
        return [(at + 1) % interval == 0 for at in range(layers)]
    period = keys.whole("attn_layer_period", most=MOST_LAYERS)
    if period:  # Jamba
        offset = keys.whole("attn_layer_offset", most=MOST_LAYERS, least=0) or 0
        return [at % period == offset % period for at in range(layers)]
    listed = keys.wholes("attn_layer_indices", "full_attn_idxs", most=MOST_LAYERS)
    if listed is not None:  # Bamba, LFM2
        return [at in listed for at in range(layers)]
    counted = keys.wholes("linear_attn_config.full_attn_layers", most=MOST_LAYERS)
    if counted is not None:  # Kimi Linear counts from 1
        return [at + 1 in counted for at in range(layers)]
    kinds = keys.wholes("attn_type_list", most=1)  # MiniMax: 0 is linear
    return None if kinds is None else [kinds[at % len(kinds)] == 1 for at in range(layers)]


def _sliding(kind: str, keys: Keys, layers: int) -> list[bool]:
    pattern = keys.wholes("hybrid_layer_pattern", most=1)  # MiMo V2: 1 has a window
    if pattern is not None:
        return [pattern[at % len(pattern)] == 1 for at in range(layers)]
    letters = keys.text("sliding_window_pattern")  # EXAONE 4: LLLG
    if letters:
        return [letters[at % len(letters)] == "L" for at in range(layers)]
    first = keys.whole("max_window_layers", most=MOST_LAYERS, least=0)
    if keys.flag("use_sliding_window") is True and first is not None:  # Qwen 2
        return [at >= first for at in range(layers)]
    if kind in _ALL_WINDOWED:
        return [True] * layers
    period = keys.whole("sliding_window_pattern", most=MOST_LAYERS) or _PERIODS.get(kind, 1)
    return [at % period < period - 1 for at in range(layers)]


def _state(kind: str, keys: Keys, hidden: int) -> tuple[int, int]:
    """Bytes that a layer with a state keeps for a request, and the weights of its mixer.

    vLLM keeps the part for the convolution in 16 bits and the state in 16 or 32
    (mamba_ssm_cache_dtype): 32 are counted, the safe side.
    """
    value_heads = keys.whole("linear_num_value_heads")
    if value_heads:  # gated delta net: Qwen3-Next
        keys_wide = (keys.whole("linear_num_key_heads") or value_heads) * _linear(keys, "key")
        inner = value_heads * _linear(keys, "value")
        kernel = keys.whole("linear_conv_kernel_dim") or 4
        state = 2 * (kernel - 1) * (2 * keys_wide + inner) + 4 * inner * _linear(keys, "key")
        return state, hidden * (2 * keys_wide + 3 * inner + 2 * value_heads)
    size = keys.whole("linear_attn_config.head_dim")
    if size:  # Kimi Linear
        inner = (keys.whole("linear_attn_config.num_heads") or 1) * size
        kernel = keys.whole("linear_attn_config.short_conv_kernel_size") or 4
        return 6 * (kernel - 1) * inner + 4 * inner * size, 4 * hidden * inner
    short = keys.whole("conv_L_cache")
    if short:  # LFM2
        return 2 * (short - 1) * hidden, 4 * hidden * hidden
    if kind.startswith("minimax"):
        heads, width = keys.whole("num_attention_heads") or 1, keys.whole("head_dim") or 128
        return 4 * heads * width * width, 4 * hidden * heads * width
    return _mamba_state(keys, hidden)


def _mamba_state(keys: Keys, hidden: int) -> tuple[int, int]:
    size = keys.whole("mamba_d_state", "ssm_state_size", "state_size", "lru_width")
    if size is None:
        return 0, 0
    heads, width = (
        keys.whole("mamba_n_heads", "mamba_num_heads"),
        keys.whole("mamba_d_head", "mamba_head_dim"),
    )
    expand = keys.real("mamba_expand", "expand") or 2.0
    inner = heads * width if heads and width else int(min(expand, 64.0) * hidden)
    groups = keys.whole("mamba_n_groups", "n_groups", least=0) or 0
    kernel = keys.whole("mamba_d_conv", "conv_kernel", "conv_kernel_size") or 4
    state = 2 * (kernel - 1) * (inner + 2 * groups * size) + 4 * inner * size
    return state, hidden * (3 * inner + 2 * groups * size + (heads or 0))


def _linear(keys: Keys, which: str) -> int:
    return keys.whole(f"linear_{which}_head_dim") or 128
