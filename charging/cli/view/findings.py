"""What a peer violates, as a table that can be sent to its engineers."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from charging.cli.api import Json


def findings_table(diagnosis: Json) -> RenderableType:
    """The answer of ``GET /ocpi/connections/{name}/findings``."""
    version = f", OCPI {diagnosis['version']}" if diagnosis["version"] else ""
    title = Text(f"{diagnosis['name']}{version}: {diagnosis['examined']} messages examined")
    if not diagnosis["findings"]:
        words = "No violation seen." if diagnosis["examined"] else "It has sent nothing yet."
        return Group(title, Text(words))
    table = Table("messages", "module", "where", "what to mend", box=None, pad_edge=False, header_style="dim")
    for finding in diagnosis["findings"]:
        what = Text("Advice: " if finding["level"] == "advice" else "", style="dim")
        what.append(Text(finding["words"], style="not dim")).append(f" ({finding['section']})")
        share = f"{finding['messages']} of {finding['examined']}"
        table.add_row(share, Text(finding["module"]), Text(finding["example"]), what)
    return Group(title, Text(), table)
