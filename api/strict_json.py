"""Request bodies, read strictly: one meaning per document, nothing coerced, nothing echoed.

What cannot be read at all is 400, 413 or 415; what can be read but is not acceptable is 422. Used as a dependency
after authentication, so that strangers learn nothing about bodies.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from api.problems import invalid
from charging.errors import Problem

MAX_BODY_BYTES = 256 * 1024
_MAX_DIGITS = 100
_ENDLESS = Decimal("Infinity")  # stands for a number that no field accepts

Model = TypeVar("Model", bound=BaseModel)


def strict_body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency: the request's body as ``model``. Raises ``Problem`` 400, 413, 415 or 422."""

    async def read(request: Request) -> Model:
        require_json(request)
        data = parse(await read_limited(request))
        try:
            return model.model_validate(data)
        except ValidationError as error:
            raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None

    return read


def require_json(request: Request) -> None:
    """Refuse what does not say that it is JSON, so that no HTML form can make a browser send it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (media_type.startswith("application/") and media_type.endswith(("/json", "+json"))):
        raise Problem(415, "unsupported_media_type", "The body must be application/json.")


async def read_limited(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, as long as it stays within ``limit`` bytes, whatever its length header says."""
    too_large = Problem(413, "body_too_large", f"The body must not exceed {limit} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def parse(raw: bytes) -> Any:
    """``raw`` as data: fractions become ``Decimal``; a repeated key, bad UTF-8 or absurd depth is 400.

    NaN, infinities and endless digits become decimals that are not finite: the model refuses them by field.
    """
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=Decimal,
        )
    except RecursionError:
        raise Problem(400, "malformed_json", "The body is nested too deeply.") from None
    except ValueError:
        raise Problem(400, "malformed_json", "The body is not JSON in UTF-8.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(400, "malformed_json", "An object repeats a key.")
    return members


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text) if len(text) <= _MAX_DIGITS else _ENDLESS
    except ArithmeticError:  # an exponent beyond all bounds
        return _ENDLESS


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_DIGITS else _ENDLESS
