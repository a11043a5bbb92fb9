"""The embedded stack: Temporal dev server, worker, API and sandbox CPO on one machine, as supervised processes.

Nothing here imports ``worker``, ``api`` or ``charging.sandbox``: they are commands, started and restarted.
"""
