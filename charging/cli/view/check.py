"""The report of a check, for the engineers of a CPO."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from charging.cli.api import Json

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def check_report(report: Json) -> RenderableType:
    """One line a step, and below what its messages violated."""
    table = Table("", "step", "expected", "seen", "OCPI 2.2.1", box=None, pad_edge=False, header_style="dim")
    for step in report["steps"]:
        verdict = Text(step["verdict"], style=_STYLES[step["verdict"]])
        table.add_row(verdict, step["step"], Text(step["expected"]), Text(step["seen"]), step["section"])
        for finding in step["findings"]:
            words = Text(finding["words"], style="yellow")
            table.add_row("", "", words, Text(finding["where"]), finding["section"])
    counts = {verdict: sum(step["verdict"] == verdict for step in report["steps"]) for verdict in _STYLES}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    spoken = f"in OCPI {report['version']}" if report["version"] else ""
    return Group(Text(f"{report['url']} {spoken}"), Text(), table, Text(), Text(summary, style="bold"))
