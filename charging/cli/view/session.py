"""One session, drawn live: its steps, the battery, the meter, and what happened so far."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from charging.cli.view.drawing import battery, curve
from charging.cli.view.news import news_between

# What a session goes through, as people would say it; each with the phases in which it is being done.
STEPS = (
    ("Funds set aside", ("reserving_funds",)),
    ("Operator confirms", ("awaiting_cpo",)),
    ("Car plugged in", ("awaiting_plug",)),
    ("Charging", ("charging", "paused")),
    ("Charger stops", ("limit_reached", "stop_sent", "stop_overdue")),
    ("Operator's bill", ("awaiting_cdr",)),
    ("Paid", ("settling",)),
)
STATUS_STYLES = {
    "pending": "yellow",
    "active": "bold green",
    "stopping": "bold blue",
    "completed": "bold green",
    "failed": "bold red",
}
COST_SOURCES = {"estimate": "our estimate", "cpo": "by the operator's meter", "cdr": "by the operator's bill"}
LOG_LINES = 12
CURVE_WIDTH = 32


@dataclass
class SessionView:
    """Everything seen of one session so far. Feed it with ``update``; rich draws it as often as it likes.

    ``speed``: cars of an embedded stack take so many times their power; it is shown as what it would be.
    """

    session_id: str
    speed: int = 1
    status: dict[str, Any] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    _powers: list[float] = field(default_factory=list)
    _step: int = 0
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="green"))

    def update(self, status: dict[str, Any], at: datetime) -> None:
        """Take the newest status; ``news`` is then what it changed, and the log has it too."""
        self.news = news_between(self.status, status)
        self.status = status
        self._step = step_of(status, self._step)
        if status["status"] == "active" and status.get("power_kw") is not None:
            self._powers.append(float(status["power_kw"]))
        for line in self.news:
            self.note(line, at)

    def note(self, line: str, at: datetime) -> None:
        """Something else that happened."""
        self.log.append((f"{at:%H:%M:%S}", line))

    def line(self) -> str:
        """The newest status on one line, for logs and pipes."""
        words = str(self.status["status"]).ljust(9), str(self.status.get("phase") or "").ljust(15)
        return "  ".join([*words, self._energy().rjust(10), self._power().rjust(9), self._cost().rjust(9)]).rstrip()

    def __rich__(self) -> RenderableType:
        body = Table.grid(padding=(0, 5))
        body.add_row(self._steps(), self._meter())
        parts = Group(body, Text(), self._happened())
        return Panel(
            parts,
            title=self._title(),
            title_align="left",
            subtitle=f"[dim]{self.session_id}[/]",
            subtitle_align="right",
            border_style="cyan",
            padding=(1, 2),
            width=86,
        )

    def _title(self) -> Text:
        word = str(self.status.get("status", "starting"))
        place = " · ".join(str(self.status[k]) for k in ("network", "evse_id") if self.status.get(k))
        faster = f"  ({self.speed} times as fast)" if self.speed > 1 else ""
        style = STATUS_STYLES.get(word, "dim")
        return Text.assemble((" ⚡ ", "yellow"), (place, "bold"), "  ", (word, style), (faster + " ", "dim"))

    def _steps(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        failed = self.status.get("status") == "failed"
        for number, (title, _) in enumerate(STEPS):
            if number < self._step:
                table.add_row(Text("✔", style="green"), Text(title))
            elif number > self._step:
                table.add_row(Text("·", style="dim"), Text(title, style="dim"))
            elif failed:
                table.add_row(Text("✘", style="red"), Text(title, style="bold red"))
            else:
                table.add_row(self._spinner, Text(title, style="bold"))
        return table

    def _meter(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        charge = self.status.get("state_of_charge")
        if charge is not None:
            table.add_row(Text("Battery", style="dim"), battery(float(charge) / 100, CURVE_WIDTH))
        power = Text.assemble(curve(self._powers, CURVE_WIDTH), "  ", (self._power(), "bold"))
        table.add_row(Text("Power", style="dim"), Text.assemble(" ", power))
        table.add_row(Text("Energy", style="dim"), Text(f" {self._energy()}", style="bold"))
        table.add_row(Text("Cost", style="dim"), Text.assemble((f" {self._cost()}", "bold"), (self._whose(), "dim")))
        table.add_row(Text("Next", style="dim"), Text(f" {self._next()}", style="bold"))
        return table

    def _happened(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for at, line in self.log[-LOG_LINES:]:
            table.add_row(Text(at, style="dim"), Text(line))
        return table

    def _energy(self) -> str:
        return f"{float(self.status.get('energy_kwh') or 0):.2f} kWh"

    def _power(self) -> str:
        power = self.status.get("power_kw")
        return "" if power is None else f"{float(power) / self.speed:.1f} kW"

    def _cost(self) -> str:
        cost = self.status.get("cost", 0)
        return "not known" if cost is None else f"{float(cost):.2f} {self.status.get('currency') or ''}"

    def _whose(self) -> str:
        """Who says what it costs, and what a stop now would come to where that is more."""
        cost, stopped = self.status.get("cost"), self.status.get("cost_if_stopped")
        words = COST_SOURCES.get(str(self.status.get("cost_source")), "") if cost else ""
        more = f", {stopped:.2f} if it stops now" if cost and stopped and stopped > cost else ""
        return f"  {words}{more}" if words else ""

    def _next(self) -> str:
        return str(self.status.get("next_action") or "").replace("_", " ")


def step_of(status: dict[str, Any], before: int) -> int:
    """The number of the step that is being done, one beyond the last when all is; never back."""
    if status.get("status") == "completed":
        return len(STEPS)
    phase = status.get("phase")
    return max([before, *(number for number, (_, phases) in enumerate(STEPS) if phase in phases)])
