"""NVML's answers from nvidia-smi's text, for a host whose driver's library cannot be asked.

details.py reads `-q`, table.py the CSV of `--query-gpu`, matrix.py `topo`, nvlink.py `nvlink`,
listing.py `-L`; ask.py runs them and puts them together.
"""

from .ask import ask_nvidia_smi

__all__ = ["ask_nvidia_smi"]
