"""How a receipt writes text that the fonts of every PDF reader (Latin-1) have no characters for.

It is drawn in DejaVu Sans where that is installed: Latin, Greek, Cyrillic, Hebrew, Arabic and many symbols, right to
left where it must be. What it lacks, too, as Chinese, is spelled out: nothing is lost, and nothing becomes a "?".
"""

import unicodedata
from collections.abc import Container
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fpdf.bidi import BidiParagraph

LATIN_1: Final = frozenset((*range(0x20, 0x7F), *range(0xA0, 0x100)))
_NAME: Final = "DejaVuSans.ttf"
# Where Debian, Fedora, Alpine and Arch put it.
_PLACES: Final = tuple(
    Path("/usr/share/fonts", *parts)
    for parts in (("truetype", "dejavu"), ("dejavu-sans-fonts",), ("dejavu",), ("TTF",))
)


@cache
def dejavu() -> tuple[Path, Path] | None:
    """DejaVu Sans and its bold face: the system's, else that of Matplotlib; None where there is neither."""
    found = next((place for place in (*_PLACES, *_matplotlib()) if (place / _NAME).is_file()), None)
    if found is None:
        return None
    bold = found / _NAME.replace(".", "-Bold.")
    return found / _NAME, bold if bold.is_file() else found / _NAME


def writable(text: str, glyphs: Container[int]) -> str:
    """``text`` from left to right, with nothing in it that ``glyphs`` (code points) lack."""
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        text = BidiParagraph(text).get_reordered_string()
    return "".join(character if ord(character) in glyphs else _spelled(character, glyphs) for character in text)


def _spelled(character: str, glyphs: Container[int]) -> str:
    """Without its accents, else a symbol by its name in words, a letter by its number."""
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if kind in ("Cf", "Mn", "Me"):  # marks that change the character before them
        return ""
    plain = "".join(each for each in unicodedata.normalize("NFKD", character) if ord(each) in glyphs)
    if plain:
        return plain
    name = unicodedata.name(character, "")
    return f"({name.lower()})" if kind.startswith("S") and name else f"[U+{ord(character):04X}]"


def _matplotlib() -> tuple[Path, ...]:
    found = find_spec("matplotlib")
    return (Path(found.origin).parent / "mpl-data" / "fonts" / "ttf",) if found and found.origin else ()
