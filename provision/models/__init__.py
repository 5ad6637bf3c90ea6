"""How much memory a model needs: catalogue, names, weights by quantisation, KV cache. Pure."""
