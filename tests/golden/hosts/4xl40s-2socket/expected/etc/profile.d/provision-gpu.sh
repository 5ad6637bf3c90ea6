# Written by provision: CUDA numbers GPUs in people's shells as nvidia-smi does.
export CUDA_DEVICE_ORDER=FASTEST_FIRST
