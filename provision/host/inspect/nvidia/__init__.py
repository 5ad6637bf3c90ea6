"""NVIDIA GPUs: from NVML, else from nvidia-smi's text; errors from the kernel's log."""
