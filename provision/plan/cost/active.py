"""How many parameters work on one token, which is what arithmetic costs."""

from __future__ import annotations

from provision.models.shape import Shape


def layer_parameters(shape: Shape) -> float:
    """Of all layers together: attention, and the feed-forward network or the experts used."""
    attending = shape.layers
    mixing = 0.0
    if shape.recurrent is not None:
        attending -= shape.recurrent.layers
        mixing = shape.recurrent.layers * shape.recurrent.parameters
    return attending * _attention(shape) + mixing + _forward(shape)


def head_parameters(shape: Shape) -> float:
    """Of the output head, which works on generated tokens only, not on those of a prompt."""
    return shape.vocab * shape.hidden


def _attention(shape: Shape) -> float:
    latent = shape.latent
    if latent is None:
        value_dim = shape.value_dim or shape.head_dim
        keys = shape.head_dim * (shape.heads + shape.kv_heads)
        return shape.hidden * (keys + value_dim * (shape.kv_heads + shape.heads))
    query = shape.heads * (latent.nope_dim + latent.rope_dim)
    queries = (
        shape.hidden * query
        if latent.query_rank is None
        else latent.query_rank * (shape.hidden + query)
    )
    down = shape.hidden * (latent.kv_rank + latent.rope_dim)
    up = latent.kv_rank * shape.heads * (latent.nope_dim + latent.value_dim)
    return queries + down + up + shape.heads * latent.value_dim * shape.hidden


def _forward(shape: Shape) -> float:
    """Three matrices a network (gate, up, down); some have two, which errs on the slow side."""
    experts = shape.experts
    if experts is None:
        return 3.0 * shape.hidden * shape.ffn * shape.layers
    mixed = max(0, shape.layers - experts.dense_layers) // max(1, experts.every)
    plain = shape.layers - mixed
    width = experts.used * experts.ffn + experts.shared_ffn
    return shape.hidden * (3.0 * (mixed * width + plain * shape.ffn) + mixed * experts.count)
