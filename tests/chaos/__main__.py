"""``python -m tests.chaos``: runs of chaos, one seed after the other. Exit 1 where an invariant is broken."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from charging.bootstrap.neighbours import Payments
from tests.chaos.plan import Setup
from tests.chaos.run import Result, commit, run


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What ``given`` (the command line) asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="successive seeds")
    parser.add_argument("--sessions", type=int, default=200, help="in each run")
    parser.add_argument("--faults", type=int, default=100, help="in each run")
    parser.add_argument(
        "--payments",
        type=Payments,
        nargs="?",
        default=Payments.WALLET,
        const=Payments.PAYMENTS,
        help="who keeps the money: wallet, evpass or payments",
    )
    parser.add_argument("--postgres", action="store_true", help="store on PostgreSQL, not on SQLite")
    parser.add_argument("--encrypted", action="store_true", help="Temporal gets ciphertext only")
    parser.add_argument("--factor", type=float, default=1.0, help="of every patience, for a busy machine")
    return parser.parse_args(given)


def main() -> int:
    """Run them all; print a line for each, and for a broken one all that replays it."""
    options = arguments()
    sessions = faults = broken = 0
    for seed in range(options.seed, options.seed + options.runs):
        result = asyncio.run(
            run(
                seed,
                Setup(options.payments, postgres=options.postgres, encrypted=options.encrypted),
                sessions=options.sessions,
                faults=options.faults,
                factor=options.factor,
            )
        )
        sys.stdout.write(f"{result}\n")
        sessions, faults = sessions + result.started, faults + len(result.plan.faults)
        if result.violations:
            broken += 1
            _explain(result, options)
        sys.stdout.flush()
    sys.stdout.write(f"{options.runs} runs, {sessions} sessions, {faults} faults, {broken} runs broken\n")
    return 1 if broken else 0


def _explain(result: Result, options: argparse.Namespace) -> None:
    lines = [*map(str, result.violations), str(result.plan), f"commit {commit()}", f"data in {result.data}"]
    again = " ".join(replay(result.plan.seed, options))
    sys.stdout.write("\n".join([*lines, f"again: python -m tests.chaos {again}", ""]))


def replay(seed: int, options: argparse.Namespace) -> list[str]:
    """The arguments that run ``seed`` alone, and all else the same."""
    numbers = {**vars(options), "seed": seed, "runs": 1}
    given = {name: value for name, value in numbers.items() if not isinstance(value, bool)}
    flags = [f"--{name}" for name, value in vars(options).items() if value is True]
    return [*(word for name, value in given.items() for word in (f"--{name}", str(value))), *flags]


if __name__ == "__main__":
    sys.exit(main())
