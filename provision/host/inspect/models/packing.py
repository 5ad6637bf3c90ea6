"""How many weights a tensor of a safetensors file holds, packed ones counted one by one."""

from __future__ import annotations

from collections.abc import Sequence

_FLOATS = ("F", "BF", "C")  # F32, BF16, F8_E4M3, F4, C64: an element is a weight
# Tensors that say how others are packed, by the last part of their names.
_AUXILIARY = frozenset(
    (
        "g_idx", "qzeros", "scales",  # GPTQ, AWQ
        "input_scale", "k_scale", "kv_scale", "output_scale", "v_scale", "weight_g_idx",
        "weight_scale", "weight_scale_2", "weight_scale_inv", "weight_shape",
        "weight_zero_point", "input_global_scale", "weight_global_scale",  # FP8, compressed-tensors
        "SCB", "absmax", "nested_absmax", "nested_quant_map", "quant_map", "weight_format",  # bnb
        "q_group_map", "q_groups", "q_invperm", "q_perm", "q_scale", "q_scale_max",  # EXL2
        "mcg", "mul1", "su", "suh", "sv", "svh",  # EXL3
        "inv_freq", "num_batches_tracked", "position_ids",  # buffers
    )
)  # fmt: skip


def weights_in(name: str, dtype: str, shape: Sequence[int], bits: int | None) -> int | None:
    """Weights in a tensor; None for a packing that is not known here.

    bits: of a weight by the model's quantization_config. Scales and zero points are no weights.
    """
    leaf = name.rpartition(".")[2]
    if leaf in _AUXILIARY or leaf.endswith("_scales") or ".quant_state." in name:
        return 0
    elements = 1
    for one in shape:
        elements *= one
    if dtype.startswith(_FLOATS):
        return elements
    if leaf == "trellis":  # EXL3: tiles of 16 x 16, a third dimension of as many words as bits
        return shape[0] * shape[1] * 256 if len(shape) == 3 else None
    if leaf in ("qweight", "weight_packed") and dtype == "I32":
        return elements * 32 // bits if bits else None
    if dtype == "U8" and (leaf in ("weight", "weight_packed") or leaf.endswith("_blocks")):
        return elements * 2  # bitsandbytes' and NVFP4's weights, MXFP4's blocks: two in a byte
    return elements if dtype == "I8" else None
