"""The shape of a model by its config.json (or Mistral's params.json).

Keys and their defaults: the configuration classes of transformers. A model of several parts keeps
those of its language model below text_config.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.host.facts import ModelFound

from ..shape import Experts, Latent, Shape
from .architectures import ALWAYS_TIED, architecture_of, vectors_only
from .found_hybrid import config_kept
from .kept import Cache, cache_of, mean, with_latent
from .keys import MOST_EXPERTS, MOST_LAYERS, MOST_TOKENS, MOST_VOCABULARY, Item, Keys, UnclearError

_STEP = 2048  # tokens that vLLM keeps beside a sliding window (max_num_batched_tokens)
_PARTS = ("text_config", "llm_config", "language_config", "thinker_config.text_config", "llm")
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim")
_HEADS = ("num_attention_heads", "n_head", "n_heads")
_CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_seqlen")
# What Gemma 3's config.json leaves out, since it is its class's default (configuration_gemma3.py).
_GEMMA3: dict[str, int | float | bool | str] = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
}


def config_shape(found: ModelFound) -> Shape:
    """Raises UnclearError. other_parameters are left at 0."""
    keys = text_keys(found)
    kind = _kind(found, keys)
    if kind in ("t5", "mt5", "whisper", "bart", "clip", "siglip"):
        raise UnclearError(f"it is a {kind} model, whose kind is not known here")
    layers = keys.need(*_LAYERS, most=MOST_LAYERS)
    hidden, heads = keys.need(*_HIDDEN), _heads(keys)
    kept = config_kept(kind, keys, layers, hidden, heads)
    cache = cache_of(kept, _STEP)
    experts, ffn = _feed_forward(kind, keys, layers, hidden)
    latent = _latent(keys)
    return with_latent(
        Shape(
            architecture_of(kind, experts is not None),
            layers,
            hidden,
            heads,
            cache.kv_heads,
            cache.head_dim,
            ffn,
            keys.need("vocab_size", "padded_vocab_size", most=MOST_VOCABULARY),
            tied=config_tied(found) or False,
            value_dim=_value_dim(cache),
            experts=experts,
            window=cache.window,
            recurrent=cache.recurrent,
            context=_context(kind, keys),
            attention_bias=keys.flag("attention_bias"),
            qk_norm=keys.flag("use_qk_norm"),
        ),
        latent,
    )


def config_tied(found: ModelFound) -> bool | None:
    """Whether the head is the input table; None where the file leaves it to the class."""
    keys = text_keys(found)
    told = keys.flag("tie_word_embeddings")
    if told is None:
        told = Keys.of(found).flag("tie_word_embeddings")
    if told is None and _kind(found, keys) in ALWAYS_TIED:
        return True
    return told


def config_embeds(found: ModelFound) -> bool:
    """Whether it gives vectors: an encoder, or a class without a head."""
    return vectors_only(_kind(found, text_keys(found)), found.architecture)


def text_keys(found: ModelFound) -> Keys:
    """The keys of the language model."""
    top = Keys.of(found)
    for part in _PARTS:
        keys = top.below(f"{part}.")
        if keys.has(*_HIDDEN) and keys.has(*_LAYERS):
            if (keys.text("model_type") or "").startswith("gemma3"):
                return Keys({**_below(part, _GEMMA3), **found.settings}, found.lists, f"{part}.")
            return keys
    return top


def _below(part: str, defaults: Mapping[str, Item]) -> dict[str, Item]:
    return {f"{part}.{key}": value for key, value in defaults.items()}


def _kind(found: ModelFound, keys: Keys) -> str:
    """model_type; Mistral's params.json has none and is a Llama."""
    kind = keys.text("model_type") or Keys.of(found).text("model_type")
    if kind is None and keys.has("dim") and keys.has("n_layers"):
        return "mistral"
    if kind is None:
        raise UnclearError("its config.json does not say model_type")
    return kind


def _heads(keys: Keys) -> int:
    listed = keys.wholes("num_query_heads")  # OpenELM: for each layer
    if listed and max(listed):
        return max(listed)
    if keys.whole(*_HEADS) is None and keys.has("state_size"):
        return 1  # Mamba: no heads at all
    return keys.need(*_HEADS)


def _value_dim(cache: Cache) -> int | None:
    return cache.value_dim if cache.value_dim != cache.head_dim else None


def _context(kind: str, keys: Keys) -> int | None:
    """Tokens. RoBERTa's kind counts positions from 2 on; YaRN says the length that it starts from.

    vLLM multiplies YaRN's original length by its factor (config.py, _get_and_verify_max_len).
    """
    context = keys.whole(*_CONTEXT, most=MOST_TOKENS)
    if context is not None and kind in ("roberta", "xlm-roberta", "camembert") and context > 2:
        return context - 2
    for scaling in ("rope_scaling", "rope_parameters"):
        if keys.text(f"{scaling}.rope_type", f"{scaling}.type") == "yarn":
            original = keys.whole(f"{scaling}.original_max_position_embeddings", most=MOST_TOKENS)
            factor = keys.real(f"{scaling}.factor")
            if original and factor:
                return max(context or 0, min(int(original * factor), MOST_TOKENS))
    return context


def _feed_forward(kind: str, keys: Keys, layers: int, hidden: int) -> tuple[Experts | None, int]:
    """Experts, and the width of dense layers: 0 where there are none."""
    dense = _dense_width(kind, keys, layers, hidden)
    count = _most(keys, "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts",
                  "ffn_config.moe_num_experts", "moe.num_experts", most=MOST_EXPERTS)  # fmt: skip
    if count is None or count < 2 or keys.flag("enable_moe_block") is False:
        return None, dense
    width = _most(keys, "moe_intermediate_size", "expert_ffn_hidden_size", most=1 << 22)
    width = width or (keys.whole("intermediate_size") if kind == "llama4_text" else None) or dense
    used = _most(keys, "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk",
                 "moe_top_k", "moe_k", "experts_per_token", "ffn_config.moe_top_k",
                 "moe.num_experts_per_tok", most=count)  # fmt: skip
    leading, every = _placing(keys, layers)
    experts = Experts(
        count, used or count, width, _shared(kind, keys, width, dense), leading, every
    )
    return experts, dense if leading or every > 1 else 0


def _most(keys: Keys, *names: str, most: int) -> int | None:
    """A number, or the largest of a list of them by layer (Hunyuan)."""
    one = keys.whole(*names, most=most)
    listed = keys.wholes(*names, most=most)
    return one or (max(listed) if listed and max(listed) else None)


def _dense_width(kind: str, keys: Keys, layers: int, hidden: int) -> int:
    listed = keys.wholes("intermediate_size")  # Gemma 3n: for each layer
    if listed:
        return mean([listed[at % len(listed)] for at in range(layers)])
    names = ["intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "hidden_dim"]
    if kind == "llama4_text":
        names.insert(0, "intermediate_size_mlp")
    width = keys.whole(*names, "ffn_config.ffn_hidden_size")
    if kind == "qwen" and width:  # the first Qwen counts gate and up together
        return width // 2
    if width is None and kind in ("mamba", "mamba2"):
        return 0
    return width or 4 * hidden


def _shared(kind: str, keys: Keys, width: int, dense: int) -> int:
    """Width of what every token uses beside the routed experts."""
    told = keys.whole("shared_expert_intermediate_size", "shared_intermediate_size",
                      "moe_shared_expert_intermediate_size", least=0)  # fmt: skip
    if told is not None:
        return told
    count = _most(keys, "n_shared_experts", "num_shared_experts", "moe_num_shared_experts",
                  "num_shared_expert", most=MOST_EXPERTS)  # fmt: skip
    if count:
        return count * width
    if kind == "llama4_text":
        return width
    return dense if kind in ("arctic", "gemma4_text", "gemma4") and dense != width else 0


def _placing(keys: Keys, layers: int) -> tuple[int, int]:
    """How many of the first layers are dense, and one layer in how many has experts."""
    leading = keys.whole("first_k_dense_replace", "moe_layer_start_index", "num_dense_layers",
                         most=layers, least=0)  # fmt: skip
    types = keys.texts("mlp_layer_types")
    if leading is None and types is not None:
        leading = min(sum(one == "dense" for one in types), layers)
    plain = keys.wholes("mlp_only_layers")
    listed = keys.wholes("moe_layer_freq", most=1)
    if leading is None and listed is not None:
        leading = min(sum(one == 0 for one in listed), layers)
    if leading is None and plain is not None:
        leading = min(len(plain), layers)
    every = keys.whole("interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_freq",
                       "moe_layer_interval", "expert_layer_period", most=layers)  # fmt: skip
    return leading or 0, every or 1


def _latent(keys: Keys) -> Latent | None:
    rank, rope = keys.whole("kv_lora_rank"), keys.whole("qk_rope_head_dim")
    nope, value = keys.whole("qk_nope_head_dim"), keys.whole("v_head_dim")
    if rank is None or rope is None or nope is None or value is None:
        return None
    return Latent(rank, rope, nope, value, keys.whole("q_lora_rank"))
