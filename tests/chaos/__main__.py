"""``python -m tests.chaos``: runs of chaos, one seed after the other. Exit 1 where an invariant is broken."""

import argparse
import asyncio
import sys

from tests.chaos.plan import Setup
from tests.chaos.run import Result, commit, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="successive seeds")
    parser.add_argument("--sessions", type=int, default=200, help="in each run")
    parser.add_argument("--faults", type=int, default=100, help="in each run")
    parser.add_argument("--payments", action="store_true", help="pay by the service Payments, not by the wallet")
    parser.add_argument("--postgres", action="store_true", help="store on PostgreSQL, not on SQLite")
    parser.add_argument("--factor", type=float, default=1.0, help="of every patience, for a busy machine")
    return parser.parse_args()


def main() -> int:
    """Run them all; print a line for each, and for a broken one all that replays it."""
    options = _arguments()
    sessions = faults = broken = 0
    for seed in range(options.seed, options.seed + options.runs):
        result = asyncio.run(
            run(
                seed,
                Setup(payments=options.payments, postgres=options.postgres),
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
    again = f"--seed {result.plan.seed} --sessions {options.sessions} --faults {options.faults}"
    again += "".join(f" --{name}" for name in ("payments", "postgres") if getattr(options, name))
    lines = [*map(str, result.violations), str(result.plan), f"commit {commit()}", f"data in {result.data}"]
    sys.stdout.write("\n".join([*lines, f"again: python -m tests.chaos {again}", ""]))


if __name__ == "__main__":
    sys.exit(main())
