"""What goes wrong, and when: a pure function of the seed. The same seed is the same plan for ever.

Time is told in sessions: a fault is due when so many have been started, so a slow machine meets the same faults at
the same points. Each seed is a swarm of its own: it draws which kinds of faults are in play at all, since some bugs
show only where others do not drown them.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from charging.bootstrap.neighbours import Payments
from tests.chaos.cpo_faults import CPO_FAULTS

API: Final = ("api-1", "api-2")
WORKERS: Final = ("worker-1", "worker-2")
EVERYTHING: Final = "everything"  # of ours, at one moment
LINKS: Final = ("to-cpo", "to-engine")

# How long what is paused, filled or slow stays so, in seconds. CPOs and engine wait 10 s and 20 s for each other.
_PAUSE_S: Final = (0.3, 9.0)
_FULL_S: Final = (0.5, 5.0)
_SLOW_S: Final = (0.2, 6.0)
_STALE_S: Final = (1.0, 15.0)
_MESSAGES: Final = (1, 4)


@dataclass(frozen=True)
class Setup:
    """What the installation has beyond the least: EV Pass or Payments in place of the wallet, PostgreSQL in place of
    SQLite (each is a process that may fail, too), and ``encrypted`` histories, as in production.
    """

    payments: Payments = Payments.WALLET
    postgres: bool = False
    encrypted: bool = False


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, due once ``after`` sessions have been started.

    ``kind`` is one of ``KINDS``; ``target`` the process, link or EVSE; ``seconds`` how long, ``messages`` how often.
    ``detail`` is what the sandbox CPO is told (``charging.sandbox.faults``).
    """

    after: int
    kind: str
    target: str
    seconds: float = 0.0
    messages: int = 0
    detail: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [f"{self.after:>4}", self.kind, self.target]
        words += [f"{self.seconds:.1f} s"] if self.seconds else []
        words += [f"{self.messages} messages"] if self.messages else []
        words += [str(self.detail)] if self.detail else []
        return "  ".join(words)


@dataclass(frozen=True)
class Plan:
    """All that goes wrong in one run, in order."""

    seed: int
    sessions: int
    kinds: tuple[str, ...]
    faults: tuple[Fault, ...]

    def counts(self) -> dict[str, int]:
        """How many faults of each kind."""
        return dict(sorted(Counter(fault.kind for fault in self.faults).items()))

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.sessions} sessions, {len(self.faults)} faults of {', '.join(self.kinds)}"
        return "\n".join([head, *map(str, self.faults)])


@dataclass(frozen=True)
class _Kind:
    targets: tuple[str, ...]
    seconds: tuple[float, float] | None = None
    messages: tuple[int, int] | None = None


_PROCESS_KINDS: Final = {
    "kill": _Kind((*API, *WORKERS, "temporal", "cpo", EVERYTHING)),
    "pause": _Kind((*API, *WORKERS, "temporal", "cpo"), _PAUSE_S),
    "full-disk": _Kind((*API, *WORKERS), _FULL_S),
}
_LINK_KINDS: Final = {
    "delay": _Kind(LINKS, _SLOW_S, _MESSAGES),
    "slow-answer": _Kind(LINKS, _SLOW_S, _MESSAGES),
    "lose-request": _Kind(LINKS, None, _MESSAGES),
    "lose-answer": _Kind(LINKS, None, _MESSAGES),
    "duplicate": _Kind(LINKS, None, _MESSAGES),
    "reorder": _Kind(LINKS, _STALE_S, _MESSAGES),
    "corrupt-request": _Kind(LINKS, None, _MESSAGES),
    "corrupt-answer": _Kind(LINKS, None, _MESSAGES),
    "refuse": _Kind(LINKS, None, _MESSAGES),
}
_CPO_KINDS: Final = {f"cpo-{when}": _Kind(()) for when in CPO_FAULTS}
KINDS: Final = {**_PROCESS_KINDS, **_LINK_KINDS, **_CPO_KINDS}
_FEWEST_KINDS: Final = 4


def make_plan(seed: int, setup: Setup, *, sessions: int, faults: int, evses: Sequence[str]) -> Plan:
    """The plan of ``seed`` for such an installation."""
    dice = random.Random(f"plan/{seed}")
    kinds = _swarm(dice)
    drawn = (_fault(dice, dice.choice(kinds), sessions, evses, setup) for _ in range(faults))
    return Plan(seed, sessions, tuple(kinds), tuple(sorted(drawn, key=lambda fault: fault.after)))


def _swarm(dice: random.Random) -> list[str]:
    kinds = [kind for kind in KINDS if dice.random() < 0.5]
    return kinds if len(kinds) >= _FEWEST_KINDS else dice.sample([*KINDS], _FEWEST_KINDS)


def _fault(dice: random.Random, name: str, sessions: int, evses: Sequence[str], setup: Setup) -> Fault:
    # The last tenth of the sessions begins in a world that is whole again.
    after, kind = dice.randint(0, int(sessions * 0.9)), KINDS[name]
    if name in _CPO_KINDS:
        evse = dice.choice(evses)
        detail = {**dice.choice(CPO_FAULTS[name.removeprefix("cpo-")]), "evse": evse}
        return Fault(after, name, evse, detail=detail)
    return Fault(
        after,
        name,
        dice.choice(_targets(name, kind, setup)),
        seconds=round(dice.uniform(*kind.seconds), 2) if kind.seconds else 0.0,
        messages=dice.randint(*kind.messages) if kind.messages else 0,
    )


def _targets(name: str, kind: _Kind, setup: Setup) -> tuple[str, ...]:
    if name == "full-disk":
        return kind.targets
    is_neighbour = setup.payments is not Payments.WALLET
    payments = ("to-payments" if name in _LINK_KINDS else "payments",) if is_neighbour else ()
    postgres = ("postgres",) if setup.postgres and name in _PROCESS_KINDS else ()
    return (*kind.targets, *payments, *postgres)
