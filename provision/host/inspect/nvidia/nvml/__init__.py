"""The NVIDIA driver asked through NVML: one file a subject, and the child that asks."""
