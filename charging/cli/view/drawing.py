"""Small drawings out of characters: a battery, a power curve."""

from collections.abc import Sequence

from rich.text import Text

BLOCKS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉"


def battery(share: float, width: int = 30) -> Text:
    """A battery filled to ``share`` (0 to 1, cut to that), in eighths of a character."""
    share = min(max(share, 0.0), 1.0)
    whole, eighth = divmod(round(share * width * 8), 8)
    bar = "█" * whole + (EIGHTHS[eighth] if eighth else "")
    colour = "red" if share < 0.2 else "yellow" if share < 0.5 else "green"
    return Text.assemble(("▕", "dim"), (bar.ljust(width), colour), ("▏", "dim"), (f" {share:4.0%}", f"bold {colour}"))


def curve(values: Sequence[float], width: int = 30) -> Text:
    """The newest ``width`` values as columns, the highest of them full."""
    newest = list(values)[-width:]
    top = max(newest, default=0) or 1
    columns = (BLOCKS[round(max(value, 0) / top * (len(BLOCKS) - 1))] for value in newest)
    return Text("".join(columns).rjust(width), style="cyan")
