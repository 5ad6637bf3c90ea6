"""GeForce and TITAN cards: GB/s of memory, dense 16-bit TFLOPS, FP8 TFLOPS, from NVIDIA's sheets.

GeForce tensor cores accumulate in fp32 at half the professional rate (whitepapers Turing TU102,
Ampere GA102, Ada AD102, Blackwell RTX: "Peak FP16 Tensor TFLOPS with FP32 Accumulate"); that value
stands here. Cards without tensor cores, and Pascal with its 1/64 rate of fp16, have their fp32 rate
(GTX 16: their doubled fp16 rate). Laptop chips differ by power limit; the middle of the range.
"""

from __future__ import annotations

from .entry import Entry

_DESKTOP = (
    Entry("rtx 5090", 1792, 209.5, 419),
    Entry("rtx 5090 d", 1792, 148, 296),
    Entry("rtx 5090 d v2", 1344, 148, 296),
    Entry("rtx 5080", 960, 112.6, 225.1),
    Entry("rtx 5070 ti", 896, 87.9, 175.8),
    Entry("rtx 5070", 672, 61.7, 123.5),
    Entry("rtx 5060 ti", 448, 47.4, 94.8),
    Entry("rtx 5060", 448, 38.4, 76.8),
    Entry("rtx 5050", 320, 26.4, 52.8),
    Entry("rtx 4090", 1008, 165.2, 330.3),
    Entry("rtx 4090 d", 1008, 147.1, 294.2),
    Entry("rtx 4080 super", 736, 104.4, 208.9),
    Entry("rtx 4080", 716.8, 97.5, 194.9),
    Entry("rtx 4070 ti super", 672, 88.2, 176.4),
    Entry("rtx 4070 ti", 504, 80.2, 160.4),
    Entry("rtx 4070 super", 504, 71.0, 142),
    Entry("rtx 4070", 504, 58.3, 116.6),
    Entry("rtx 4060 ti", 288, 44.1, 88.2),
    Entry("rtx 4060", 272, 30.2, 60.4),
    Entry("rtx 3090 ti", 1008, 80.0),
    Entry("rtx 3090", 936, 71.0),
    Entry("rtx 3080 ti", 912, 68.2),
    Entry("rtx 3080", 912, 61.3, gib=12),
    Entry("rtx 3080", 760, 59.5, gib=10),
    Entry("rtx 3070 ti", 608, 43.5),
    Entry("rtx 3070", 448, 40.6),
    Entry("rtx 3060 ti", 448, 32.4),
    Entry("rtx 3060", 360, 25.5, gib=12),
    Entry("rtx 3060", 240, 25.5, gib=8),
    Entry("rtx 3050", 224, 18.2, gib=8),
    Entry("rtx 3050", 168, 13.5, gib=6),
    Entry("titan rtx", 672, 130.5),
    Entry("rtx 2080 ti", 616, 53.8),
    Entry("rtx 2080 super", 496, 44.6),
    Entry("rtx 2080", 448, 40.3),
    Entry("rtx 2070 super", 448, 36.3),
    Entry("rtx 2070", 448, 29.9),
    Entry("rtx 2060 super", 448, 28.7),
    Entry("rtx 2060", 336, 25.8),
    Entry("gtx 1660 ti", 288, 10.9),
    Entry("gtx 1660 super", 336, 10.0),
    Entry("gtx 1660", 192, 10.0),
    Entry("gtx 1650 super", 192, 8.8),
    Entry("gtx 1650", 128, 6.0),
    Entry("titan v", 652.8, 110, kind="hbm"),
    Entry("titan xp", 547.6, 12.1),
    Entry("titan x", 480, 11.0),
    Entry("gtx 1080 ti", 484, 11.3),
    Entry("gtx 1080", 320, 8.9),
    Entry("gtx 1070 ti", 256, 8.2),
    Entry("gtx 1070", 256, 6.5),
    Entry("gtx 1060", 192, 4.4),
)

_LAPTOP = (
    Entry("rtx 5090 laptop", 896, 63.5, 127),
    Entry("rtx 5080 laptop", 896, 46, 92),
    Entry("rtx 5070 ti laptop", 672, 34, 68),
    Entry("rtx 5070 laptop", 384, 27, 54),
    Entry("rtx 5060 laptop", 384, 22, 44),
    Entry("rtx 5050 laptop", 384, 17, 34),
    Entry("rtx 4090 laptop", 576, 66, 132),
    Entry("rtx 4080 laptop", 432, 49.5, 99),
    Entry("rtx 4070 laptop", 256, 31, 62),
    Entry("rtx 4060 laptop", 256, 23, 46),
    Entry("rtx 4050 laptop", 192, 18, 36),
    Entry("rtx 3080 ti laptop", 512, 37),
    Entry("rtx 3080 laptop", 448, 38),
    Entry("rtx 3070 ti laptop", 448, 33),
    Entry("rtx 3070 laptop", 448, 32),
    Entry("rtx 3060 laptop", 336, 24),
    Entry("rtx 3050 ti laptop", 192, 14),
    Entry("rtx 3050 laptop", 192, 12),
    Entry("rtx 2080 super max q", 352, 30),
    Entry("rtx 2080 max q", 384, 25),
    Entry("rtx 2070 super max q", 352, 26),
    Entry("rtx 2070 max q", 384, 21),
    Entry("rtx 2060 max q", 264, 18),
)

GEFORCE = _DESKTOP + _LAPTOP
