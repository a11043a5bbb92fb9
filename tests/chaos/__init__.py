"""Chaos: the whole installation as real processes, a seeded plan of faults, and I1-I12 checked when they are over.

``python -m tests.chaos --seed 1`` (``make chaos SEED=1 RUNS=3``). One idea per file: ``plan`` says what goes wrong and
when, ``processes`` runs and breaks the processes (``postgres``: the store as one of them), ``link`` breaks the wires
between them, ``robots`` are the load,
``accounts`` reads what the CPO, the payment side and our store say, ``invariants`` judges that, ``run`` is one run.
"""
