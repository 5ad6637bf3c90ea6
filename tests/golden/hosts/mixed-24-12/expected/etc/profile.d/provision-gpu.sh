# Written by provision: CUDA numbers GPUs in people's shells as nvidia-smi does.
export CUDA_DEVICE_ORDER=PCI_BUS_ID
