"""How much a measurement does: small by itself, more where ``BENCH_…`` in the environment says so."""

import os


def size(name: str, default: int) -> int:
    """The number in ``BENCH_{name}``, else ``default``."""
    return int(os.environ.get(f"BENCH_{name}", default))
