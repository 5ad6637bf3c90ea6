"""What five articles on serving with several GPUs say, row by row."""

from __future__ import annotations

from .gigagpu import GIGAGPU
from .insiderllm import INSIDERLLM
from .linux_guide import LINUX_GUIDE
from .promptquorum import PROMPTQUORUM

CASES = (*PROMPTQUORUM, *GIGAGPU, *INSIDERLLM, *LINUX_GUIDE)
