"""AMD's cards, from its data sheets: GB/s, dense 16-bit TFLOPS (matrix cores where any), FP8.

MI250 and MI250X are two GPUs each; the figures are of one. Names are the driver's or pci.ids'; the
latter list several cards under one device ("Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M"), which
memory tells apart.
"""

from __future__ import annotations

from .entry import Entry

_INSTINCT = (
    Entry("mi355x", 8000, 2516, 5033, kind="hbm"),
    Entry("mi350x", 8000, 2307, 4614, kind="hbm"),
    Entry("mi325x", 6000, 1307, 2615, kind="hbm"),
    Entry("mi308x", 5300, 188, 377, kind="hbm"),
    Entry("mi300x", 5300, 1307, 2615, kind="hbm"),
    Entry("mi300a", 5300, 980.6, 1961, kind="hbm"),
    Entry("mi250x", 1638, 191.5, kind="hbm"),
    Entry("mi250", 1638, 181, kind="hbm"),
    Entry("mi210", 1638, 181, kind="hbm"),
    Entry("mi100", 1229, 184.6, kind="hbm"),
    Entry("mi60", 1024, 29.5, kind="hbm"),
    Entry("mi50", 1024, 26.5, kind="hbm"),
    Entry("radeon vii", 1024, 26.9, kind="hbm"),
)

_RADEON = (
    Entry("rx 9070 xt", 640, 195, 389, gib=16),
    Entry("rx 9070", 640, 145, 289, gib=16),
    Entry("rx 9060 xt", 320, 103, 205),
    Entry("ai pro r9700", 640, 191, 383),
    Entry("rx 7900 xtx", 960, 122.8, gib=24),
    Entry("rx 7900 xt", 800, 103, gib=20),
    Entry("rx 7900 gre", 576, 92, gib=16),
    Entry("rx 7800 xt", 624, 74.7),
    Entry("rx 7700 xt", 432, 70.3, gib=12),
    Entry("rx 7600 xt", 288, 45.1, gib=16),
    Entry("rx 7600", 288, 43.5, gib=8),
    Entry("rx 6950 xt", 576, 47.3),
    Entry("rx 6900 xt", 512, 46.1),
    Entry("rx 6800 xt", 512, 41.5),
    Entry("rx 6800", 512, 32.3),
    Entry("rx 6750 xt", 432, 26.6),
    Entry("rx 6700 xt", 384, 26.4),
    Entry("rx 6600 xt", 256, 21.2),
    Entry("rx 6600", 224, 17.9),
    Entry("radeon 8060s", 256, 59.4, kind="lpddr"),
)

_PRO = (
    Entry("w7900", 864, 122.6),
    Entry("w7800", 576, 90.5, gib=32),
    Entry("w7800", 864, 90.5, gib=48),
    Entry("w7700", 576, 56.5),
    Entry("w6800", 512, 35.7),
    Entry("v620", 512, 40.6),
)

AMD = _INSTINCT + _RADEON + _PRO
