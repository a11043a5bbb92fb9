"""Shows the doctor what peers send (``charging.ocpi.doctor``): after the answer is made, and a sample only."""

from typing import Literal

from fastapi import Request

from charging.ocpi import wire
from charging.ocpi.doctor import Doctor
from charging.ocpi.findings import Pushed
from charging.store.connections import Caller

_BEFORE_MODULE = 3  # /ocpi/emsp/{version}/{module}/…


def show_doctor(doctor: Doctor, request: Request) -> None:
    """Let the doctor look at this request of a peer, if it wants to. Strangers are not looked at."""
    caller: Caller | None = getattr(request.state, "caller", None)
    segments = request.scope["path"].strip("/").split("/")
    if caller is None or len(segments) <= _BEFORE_MODULE:
        return
    version, module, *path = segments[_BEFORE_MODULE - 1 :]
    body: bytes = getattr(request, "_body", b"")  # only what was read anyway: never wait for a peer here
    if not doctor.wants(caller.connection.id, module, len(body)):
        return
    push = Pushed(
        version=version,
        module=module,
        method=request.method,
        path=path,
        headers={name.lower(): value for name, value in request.headers.items() if name != "authorization"},
        body=body,
        roles=caller.connection.parties,
        written=_form(request.headers.get("authorization", ""), caller.token),
    )
    doctor.pushed(caller.connection.id, push)


def _form(header: str, token: str) -> Literal["base64", "raw", "line"]:
    """How the token that was recognised is written in the header."""
    credentials = header.strip().partition(" ")[2].strip()
    if credentials == token:
        return "raw"
    return "line" if wire.token_candidates(header)[0] != token else "base64"
