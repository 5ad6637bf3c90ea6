"""The colours: told apart by people with any colour vision, on white and in grey print.

Instances have the tints of Paul Tol's light scheme, made for black text on top of them, ordered so
that neighbours differ in lightness. Nothing is told by a colour alone: whatever is tinted also has
its name on it.
"""

from __future__ import annotations

INK = "#1a1a1a"
FAINT = "#555555"
PAPER = "#ffffff"
SOCKET = ("#f3f3f0", "#8a8a86")  # fill, stroke
NODE = ("#ffffff", "#6f6f6f")
MEMORY = ("#e9e9e4", "#8a8a86")
CORE = ("#e9ecf0", "#6b7480")  # lighter than every instance, in grey too
GROUP = ("none", "#a3a9b2")
GPU = ("#e4eefb", "#22558c")
NIC = ("#fdf3dc", "#8a6414")
CARD = ("#ffffff", "#555555")
SWITCH = ("#e6e6e6", "#4d4d4d")
SLICE = ("#ffffff", "#22558c")
PCIE = "#4d4d4d"
NVLINK = ("#d5ead8", "#1b6b35")
XGMI = ("#f1dbe6", "#7d2450")
INTERCONNECT = "#3c3c3c"
SHARED = "#3c3c3c"  # cores of several instances
INSTANCES = (
    "#77aadd",
    "#eedd88",
    "#44bb99",
    "#ffaabb",
    "#ee8866",
    "#99ddff",
    "#aaaa00",
    "#bbcc33",
)
ERROR, WARNING, NOTE = "#b3261e", "#f2b705", "#d5dbe3"
