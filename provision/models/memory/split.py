"""Split: how the tensors of one instance are spread over its GPUs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """tensor x pipeline GPUs. pipeline stages hold runs of layers, each stage `tensor` GPUs.

    Stages of vLLM and SGLang, llama.cpp's layer split and ExLlama's gpu_split are all pipelines;
    only the engine's word for it differs. GPU number s * tensor + t is rank t of stage s.
    """

    tensor: int = 1
    pipeline: int = 1
    layers: tuple[int, ...] | None = None  # of each stage; None: as even as they go
    experts: bool = False  # experts whole on single ranks instead of every expert cut in slices
    offloaded: int = 0  # layers that stay in the host's memory

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline

    def stages(self, layers: int) -> tuple[int, ...]:
        """Layers of each stage on GPUs, offloaded ones left out."""
        if self.layers is not None:
            return self.layers
        kept = layers - self.offloaded
        least, extra = divmod(kept, self.pipeline)
        return tuple(least + (1 if stage < extra else 0) for stage in range(self.pipeline))
