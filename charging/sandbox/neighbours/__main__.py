"""``python -m charging.sandbox.neighbours``: all neighbours in a process of their own."""

import argparse
import logging
from pathlib import Path

import uvicorn

from charging import logs
from charging.sandbox.neighbours.app import create_app
from charging.sandbox.neighbours.settings import NeighbourSettings


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m charging.sandbox.neighbours", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8200)
    parser.add_argument("--engine", default="http://127.0.0.1:8000", help="where our API is, for webhooks")
    parser.add_argument(
        "--data", type=Path, default=Path(".charging/neighbours"), help="where they remember everything"
    )
    arguments = parser.parse_args()
    logs.configure(logging.WARNING)
    app = create_app(NeighbourSettings(engine_url=arguments.engine), arguments.data / "neighbours.db")
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
