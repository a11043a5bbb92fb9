"""``GET /ocpi/connections/{name}/findings``: what a CPO violates of OCPI, seen in its traffic."""

from fastapi import Depends, Request
from pydantic import BaseModel

from api import documentation as doc
from api.admin import named, require_admin, services_of
from api.branch import Branch
from charging.ocpi.findings import RULES, Finding, section_of
from charging.store.findings import EXAMINED, Counted, FindingStore

router = Branch(
    prefix="/ocpi",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)


class FindingView(BaseModel):
    """One rule that a peer breaks. ``messages`` of the ``examined`` ones of this module broke it."""

    rule: str
    level: str
    module: str
    messages: int
    examined: int
    example: str
    words: str
    section: str
    first_at: str
    last_at: str


class Diagnosis(BaseModel):
    """What was seen in a peer's traffic. Of each module up to five messages a second are examined."""

    name: str
    version: str | None
    examined: int
    findings: list[FindingView]


@router.get("/connections/{name}/findings", responses=doc.problems("connection_not_found"))
async def list_findings(request: Request, name: str) -> Diagnosis:
    """What a CPO, by name or id, violates of OCPI, seen in its traffic. The most frequent first."""
    parts = services_of(request)
    connection = await named(services_of(request).connections, name)
    await parts.peers.doctor.flush()
    counted = await FindingStore(parts.database).of(connection.id)
    examined = {each.module: each.count for each in counted if each.rule == EXAMINED}
    return Diagnosis(
        name=connection.name,
        version=connection.version,
        examined=sum(examined.values()),
        findings=[_finding(each, examined.get(each.module, 0)) for each in counted if each.rule in RULES],
    )


def _finding(counted: Counted, examined: int) -> FindingView:
    rule = RULES[counted.rule]
    return FindingView(
        rule=rule.id,
        level=rule.level,
        module=counted.module,
        messages=counted.count,
        examined=examined,
        example=counted.example,
        words=rule.words,
        section=section_of(Finding(rule.id, counted.module, counted.example)),
        first_at=counted.first_at.isoformat(),
        last_at=counted.last_at.isoformat(),
    )
