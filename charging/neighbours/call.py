"""One call to a neighbour over HTTP, and what became of it: an answer, a refusal, or an outcome that nobody knows."""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import httpx
from pydantic import SecretStr

from charging.errors import NeighbourRefused, NeighbourUnavailable
from charging.ocpi.wire import MalformedJson, dumps, loads

TIMEOUT_S: Final = 10.0

_TRY_AGAIN: Final = (408, 425, 429)  # these say something about the moment, not about what was asked


class Neighbour:
    """A service at ``base_url`` that knows us by an API key. ``timeout_s`` is for one whole call, slow bodies included.

    Each call has a connection of its own: there are few of them, and a request on one that the other side is just
    closing would be of unknown outcome.
    """

    def __init__(self, name: str, base_url: str, api_key: SecretStr, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._timeout_s = timeout_s

    async def get(self, path: str, **query: str) -> Any:
        """What is at ``path``, decimals exact. Raises ``NeighbourUnavailable``, ``NeighbourRefused``."""
        return await self._call("GET", path, query, None, {})

    async def post(self, path: str, body: Mapping[str, Any], *, key: str) -> Any:
        """The answer to ``body`` under an Idempotency-Key; None where there is no body. Raises as ``get``."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return await self._call("POST", path, {}, dumps(body), headers)

    async def _call(
        self, method: str, path: str, query: dict[str, str], content: bytes | None, headers: dict[str, str]
    ) -> Any:
        headers = {**headers, "X-API-Key": self._api_key.get_secret_value(), "Accept": "application/json"}
        try:
            async with asyncio.timeout(self._timeout_s), self._http() as http:
                answer = await http.request(
                    method, self._base_url + path, params=query, content=content, headers=headers
                )
        except (httpx.HTTPError, TimeoutError) as error:
            raise NeighbourUnavailable(f"{self.name} gave no answer to {method} {path}: {_words(error)}") from error
        return self._read(answer, f"{self.name} answered {answer.status_code} to {method} {path}")

    def _read(self, answer: httpx.Response, words: str) -> Any:
        status = answer.status_code
        if status >= 500 or status in _TRY_AGAIN:
            raise NeighbourUnavailable(words)
        if not answer.is_success:
            raise NeighbourRefused(words, http_status=status)
        try:
            return loads(answer.content) if answer.content else None
        except MalformedJson as error:
            raise NeighbourUnavailable(f"{words}, and no JSON") from error

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=self._timeout_s, verify=_tls(), follow_redirects=False, trust_env=False)


@lru_cache
def _tls() -> ssl.SSLContext:
    """Loading the root certificates takes longer than most calls."""
    return httpx.create_ssl_context(trust_env=False)


def _words(error: Exception) -> str:
    return type(error).__name__
