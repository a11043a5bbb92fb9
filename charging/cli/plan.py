"""``charging plan``: a request on stdin, a plan on stdout. A thin shell over the planner; needs no running stack."""

import json
import sys
from decimal import Decimal
from typing import Any

import typer

from charging.cli.failure import Failure

_BAD_INPUT = 2


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan() -> None:
    """Plan a charge: the request as JSON on stdin, the plan as JSON on stdout. Bad input: exit 2."""
    # Here: no other command needs the planner.
    from pydantic import ValidationError

    from charging.planning.planner import plan as planned
    from charging.planning.request import PlanRequest

    try:
        answer = planned(PlanRequest.model_validate_json(sys.stdin.buffer.read()))
    except ValidationError as error:
        raise Failure("invalid_request", _first(error), exit_code=_BAD_INPUT) from None
    except ValueError as error:
        raise Failure("invalid_request", str(error), exit_code=_BAD_INPUT) from None
    typer.echo(json.dumps(_as_json(answer.model_dump()), ensure_ascii=False))


def _first(error: Any) -> str:
    """What is wrong first, and where; the input is not echoed."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]


def _as_json(value: Any) -> Any:
    """JSON's own types: numbers as numbers, times as in RFC 3339."""
    match value:
        case dict():
            return {key: _as_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_as_json(inner) for inner in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case None | bool() | int() | float() | str():
            return value
    return value.isoformat().replace("+00:00", "Z")
