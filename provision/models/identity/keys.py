"""Keys: the settings of a model's header or config.json, read as what they ought to be.

The files are anyone's, so a value may be missing, of another type, negative or absurd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.host.facts import ModelFound

MOST_LAYERS = 2048
MOST_WIDTH = 1 << 22  # of a vector in a layer; the largest known have some 53,000
MOST_EXPERTS = 1 << 14
MOST_VOCABULARY = 1 << 26
MOST_TOKENS = 1 << 32
Item = int | float | bool | str


class UnclearError(Exception):
    """What is there of a model does not tell what is needed to know: why."""


class Keys:
    """Settings below a prefix. Wherever several names are given, the first that is there counts."""

    def __init__(
        self,
        settings: Mapping[str, Item],
        lists: Mapping[str, Sequence[int | float | str]],
        prefix: str = "",
    ) -> None:
        self._settings = settings
        self._lists = lists
        self.prefix = prefix

    @classmethod
    def of(cls, found: ModelFound, prefix: str = "") -> Keys:
        return cls(found.settings, found.lists, prefix)

    def below(self, prefix: str) -> Keys:
        """The same settings with another prefix, counted from the start."""
        return Keys(self._settings, self._lists, prefix)

    def has(self, *names: str) -> bool:
        return any(
            self.prefix + one in self._settings or self.prefix + one in self._lists for one in names
        )

    def whole(self, *names: str, most: int = MOST_WIDTH, least: int = 1) -> int | None:
        """A whole number within bounds; None where none of the names has one."""
        for name in names:
            value = _whole(self._settings.get(self.prefix + name))
            if value is not None and least <= value <= most:
                return value
        return None

    def need(self, *names: str, most: int = MOST_WIDTH) -> int:
        """The same. Raises UnclearError."""
        value = self.whole(*names, most=most)
        if value is not None:
            return value
        for name in names:
            if self.has(name):
                told = self._settings.get(self.prefix + name, "a list")
                raise UnclearError(f"its {self.prefix}{name} is {str(told)[:40]}")
        raise UnclearError(f"it does not say {self.prefix}{names[0]}")

    def real(self, *names: str) -> float | None:
        """A number above zero and below a million."""
        for name in names:
            value = self._settings.get(self.prefix + name)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                number = float(value)
                if 0 < number < 1e6:
                    return number
        return None

    def flag(self, *names: str) -> bool | None:
        for name in names:
            value = self._settings.get(self.prefix + name)
            if isinstance(value, bool):
                return value
        return None

    def text(self, *names: str) -> str | None:
        for name in names:
            value = self._settings.get(self.prefix + name)
            if isinstance(value, str) and value:
                return value
        return None

    def texts(self, *names: str) -> tuple[str, ...] | None:
        """A list of texts."""
        for name in names:
            value = self._lists.get(self.prefix + name)
            if value and all(isinstance(one, str) for one in value):
                return tuple(str(one) for one in value)
        return None

    def wholes(self, *names: str, most: int = MOST_WIDTH) -> tuple[int, ...] | None:
        """A list of whole numbers from 0 on."""
        for name in names:
            items = [_whole(one) for one in self._lists.get(self.prefix + name, ())]
            good = [one for one in items if one is not None and 0 <= one <= most]
            if items and len(good) == len(items):
                return tuple(good)
        return None

    def each(self, layers: int, *names: str, most: int = MOST_WIDTH) -> tuple[int, ...] | None:
        """One number for each layer: a list of them, or one for all. A short list repeats."""
        values = self.wholes(*names, most=most)
        if values is not None:
            return tuple(values[at % len(values)] for at in range(layers))
        one = self.whole(*names, most=most, least=0)
        return None if one is None else (one,) * layers


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None
