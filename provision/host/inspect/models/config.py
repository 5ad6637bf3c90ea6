"""config.json and its kin: the keys of a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..source import Source
from .header import MIB
from .settings import MOST_LISTS, MOST_SETTINGS, Setting, setting, setting_key, setting_list

_MOST_CONFIG = 4 * MIB
_MOST_INDEX = 24 * MIB  # that of a model of 150,000 tensors has 15
_MOST_DEPTH = 6  # quantization_config.config_groups.group_0.weights.num_bits
# Says how the weights are quantised where config.json does not: file, key in it, method.
_QUANTIZED = (
    ("hf_quant_config.json", "quantization", "modelopt"),
    ("quantize_config.json", None, "gptq"),
    ("quant_config.json", None, "awq"),
)
# Tables of names, of thousands of entries.
_LEFT_OUT = frozenset(("id2label", "label2id", "auto_map", "task_specific_params"))


@dataclass(slots=True)
class Config:
    """A model's settings, nested keys joined by dots: text_config.hidden_size."""

    settings: dict[str, Setting] = field(default_factory=dict)
    lists: dict[str, tuple[int | float | str, ...]] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        value = self.settings.get(key)
        return value if isinstance(value, str) and value else None

    @property
    def architecture(self) -> str | None:
        names = self.lists.get("architectures", ())
        return names[0] if names and isinstance(names[0], str) else None

    @property
    def bits(self) -> int | None:
        """Of a quantised weight: GPTQ's and AWQ's, or those of compressed-tensors' only group."""
        start = "quantization_config."
        told = [self.settings.get(start + key) for key in ("bits", "w_bit")]
        told += [
            value
            for key, value in self.settings.items()
            if key.startswith(f"{start}config_groups.") and key.endswith(".weights.num_bits")
        ]
        bits = {one for one in told if type(one) is int and 1 <= one <= 16}
        return bits.pop() if len(bits) == 1 else None


def read_json(source: Source, path: str, most: int = _MOST_INDEX) -> object:
    """A JSON file's value; None for a missing, too long or broken one."""
    raw = source.head(path, most + 1)
    if raw is None or len(raw) > most:
        return None
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value


def read_config(source: Source, folder: str, name: str, names: Iterable[str]) -> Config | None:
    """A folder's configuration in the file of that name; None when it is no JSON object."""
    plain = read_json(source, f"{folder}/{name}", _MOST_CONFIG)
    if not isinstance(plain, dict):
        return None
    if "quantization_config" not in plain:
        plain = {**plain, **_quantized(source, folder, set(names))}
    return parse_config(plain)


def parse_config(plain: Mapping[str, object]) -> Config:
    """Scalars and short lists; null, long texts and tables of names are left out."""
    config = Config()
    _flatten(plain, "", 1, config)
    return config


def _quantized(source: Source, folder: str, names: set[str]) -> dict[str, object]:
    for name, key, method in _QUANTIZED:
        if name not in names:
            continue
        plain = read_json(source, f"{folder}/{name}", _MOST_CONFIG)
        part = plain.get(key) if key and isinstance(plain, dict) else plain
        if isinstance(part, dict):
            return {"quantization_config": {"quant_method": method, **part}}
    return {}


def _flatten(plain: Mapping[str, object], start: str, depth: int, config: Config) -> None:
    for key, value in plain.items():
        name = setting_key(start + key)
        if name is None or key in _LEFT_OUT:
            continue
        if len(config.settings) >= MOST_SETTINGS or len(config.lists) >= MOST_LISTS:
            return
        if isinstance(value, dict):
            if depth < _MOST_DEPTH:
                _flatten(value, f"{start}{key}.", depth + 1, config)
            continue
        if isinstance(value, list):
            items = setting_list(value)
            if items is not None:
                config.lists[name] = items
            continue
        scalar = setting(value)
        if scalar is not None:
            config.settings[name] = scalar
