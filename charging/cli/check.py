"""``charging cpo check``: a CPO under test, from handshake to CDR. Needs no running stack: it is an eMSP itself."""

import asyncio
from typing import Annotated, Literal

import typer

from charging.cli.api import Json
from charging.cli.options import AsJson
from charging.cli.output import console, print_json
from charging.cli.view.check import check_report


def check(
    url: Annotated[str, typer.Argument(help="The CPO's OCPI versions endpoint.")],
    token: Annotated[str, typer.Option(envvar="CHARGING_CPO_TOKEN", help="The registration token it gave us.")],
    evse: Annotated[str | None, typer.Option(help="The EVSE to charge at; else the first AVAILABLE one.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Where the CPO reaches us; else http://HOST:PORT of --host and --port.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen for the CPO.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    version: Annotated[
        Literal["2.3.0", "2.2.1", "2.1.1"] | None, typer.Option(help="Of OCPI; else the highest that it offers.")
    ] = None,
    party: Annotated[str, typer.Option(help="Who we say we are: country code and party id.")] = "FI*RBT",
    patience: Annotated[float, typer.Option(help="Seconds to wait for each thing that comes by itself.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Test an operator's OCPI: handshake, pulls, start, profile, stop, CDR. Exit 0 if nothing failed.

    It charges for real at the EVSE: use a test system, and have a (simulated) car plugged in.
    """
    report = asyncio.run(_check(url, token, evse, public_url, (host, port), party, patience, version))
    if as_json:
        print_json(report)
    else:
        console.print(check_report(report))
    raise typer.Exit(0 if report["passed"] else 1)


async def _check(
    url: str,
    token: str,
    evse: str | None,
    public_url: str | None,
    listen: tuple[str, int],
    party: str,
    patience: float,
    version: str | None,
) -> Json:
    # Here: the other commands need neither an OCPI client nor a server.
    from charging.ocpi.check.emsp import Emsp, serving
    from charging.ocpi.check.steps import Check, Options
    from charging.ocpi.transport import Transport
    from charging.ocpi.wire import Party

    country_code, _, party_id = party.partition("*")
    transport = Transport(timeout_s=20, allow_private=True)  # whoever runs this names the URL
    try:
        async with serving(Emsp(Party(country_code, party_id)), *listen, public_url) as emsp:
            report = await Check(transport, emsp, Options(url, token, evse, patience, version)).run()
    finally:
        await transport.aclose()
    return report.as_json()
