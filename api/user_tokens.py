"""Stable tokens of users, for the operator: ``/ocpi/tokens``. Every change is pushed to every CPO. ``X-API-Key``."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api import documentation as doc
from api.admin import require_admin
from api.branch import Branch
from api.schemas import Text
from api.services import Services
from api.strict_json import strict_body
from charging.errors import NotUnique, Problem
from charging.ocpi.own_tokens import new_uid, own_token
from charging.store.user_tokens import PushState, UserToken, UserTokenStore

router = Branch(
    prefix="/ocpi/tokens",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)

Kind = Literal["APP_USER", "RFID"]
Uid = Annotated[str, Field(min_length=1, max_length=36, pattern=r"^[A-Za-z0-9._:*-]+$")]
Whitelist = Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]
Visual = Annotated[Text, Field(min_length=1, max_length=64)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Ascii36 = Annotated[str, Field(min_length=1, max_length=36, pattern=r"^[\x21-\x7e]+$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewToken(_Request):
    """A token of ``user_id`` (the JWT's ``sub``). Without ``uid`` an APP_USER gets a fresh one; an RFID has its own.

    ``whitelist`` is NEVER for an app and ALLOWED for a card unless given (OCPI 2.2.1 §12.4.5).
    """

    user_id: Annotated[Text, Field(min_length=1, max_length=255)]
    type: Kind = "APP_USER"
    uid: Uid | None = None
    contract_id: Ascii36 | None = None
    visual_number: Visual | None = None
    group_id: Ascii36 | None = None
    language: Language | None = None
    whitelist: Whitelist | None = None

    @model_validator(mode="after")
    def _card_has_a_uid(self) -> Self:
        if self.type == "RFID" and self.uid is None:
            raise PydanticCustomError("uid_missing", "An RFID token needs the uid of its card.")
        return self


class TokenChanges(_Request):
    """Fields to change; null takes an optional one out."""

    valid: bool | None = None
    contract_id: Ascii36 | None = None
    visual_number: Visual | None = None
    group_id: Ascii36 | None = None
    language: Language | None = None
    whitelist: Whitelist | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Name at least one field.")
        for name in ("valid", "contract_id", "whitelist"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise PydanticCustomError("field_required", "Every token has valid, contract_id and whitelist.")
        return self


class TokenView(BaseModel):
    """A stable token. ``uid`` is in upper case: to OCPI case does not matter."""

    uid: str
    type: str
    user_id: str
    valid: bool
    contract_id: str
    visual_number: str | None
    group_id: str | None
    language: str | None
    whitelist: str
    last_updated: str


class TokenPushView(BaseModel):
    """What a CPO has of the token. ``state``: sent, waiting, or refused; ``problem`` says why the last push failed."""

    connection: str
    state: Literal["sent", "waiting", "refused"]
    problem: str | None


class TokenDetail(TokenView):
    """A stable token, and what each connected CPO has of it."""

    pushes: list[TokenPushView]


class TokenList(BaseModel):
    """A page of stable tokens, by uid; ``total`` is how many there are."""

    tokens: list[TokenView]
    total: int


@router.post(
    "",
    status_code=201,
    responses=doc.problems(*doc.BODY_CODES, "token_exists"),
    openapi_extra=doc.body(NewToken),
)
async def add_token(
    request: Request, response: Response, wanted: Annotated[NewToken, Depends(strict_body(NewToken))]
) -> TokenView:
    """Give a user a stable token."""
    fields = wanted.model_dump(exclude={"user_id"}, exclude_none=True)
    default = "NEVER" if wanted.type == "APP_USER" else "ALLOWED"
    uid = (wanted.uid or new_uid()).upper()
    body = own_token(
        _services(request).settings,
        wanted.user_id,
        datetime.now(UTC),
        **{"whitelist": default, **fields, "uid": uid},
    )
    try:
        token = await _store(request).add(wanted.user_id, body)
    except NotUnique:
        raise Problem(409, "token_exists", "There is a token of this uid and type.") from None
    response.headers["Location"] = f"/ocpi/tokens/{uid}?type={wanted.type}"
    return _view(token)


@router.get("", responses=doc.problems("validation_error"))
async def list_tokens(
    request: Request,
    user_id: str | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TokenList:
    """Stable tokens, of one user or of all."""
    page, total = await _store(request).page(user_id, offset=offset, limit=limit)
    return TokenList(tokens=[_view(token) for token in page], total=total)


@router.get("/{uid}", responses=doc.problems("validation_error", "token_not_found"))
async def read_token(request: Request, uid: str, type: Kind) -> TokenDetail:
    """One token, and what each CPO has of it."""
    store = _store(request)
    token = _found(await store.find(uid, type))
    pushes = [_push(state) for state in await store.pushes(uid, type)]
    return TokenDetail(**_view(token).model_dump(), pushes=pushes)


@router.patch(
    "/{uid}",
    responses=doc.problems(*doc.BODY_CODES, "token_not_found"),
    openapi_extra=doc.body(TokenChanges),
)
async def change_token(
    request: Request, uid: str, type: Kind, wanted: Annotated[TokenChanges, Depends(strict_body(TokenChanges))]
) -> TokenView:
    """Change a token, or make it valid or invalid."""
    changes = wanted.model_dump(include=wanted.model_fields_set)
    return _view(_found(await _store(request).change(uid, type, changes)))


@router.delete("/{uid}", responses=doc.problems("validation_error", "token_not_found"))
async def invalidate_token(request: Request, uid: str, type: Kind) -> TokenView:
    """Make a token invalid: OCPI deletes none, for sessions and CDRs name it."""
    return _view(_found(await _store(request).change(uid, type, {"valid": False})))


def _found(token: UserToken | None) -> UserToken:
    if token is None:
        raise Problem(404, "token_not_found", "There is no such token.")
    return token


def _view(token: UserToken) -> TokenView:
    body: dict[str, Any] = {name: token.body.get(name) for name in TokenView.model_fields}
    return TokenView.model_validate({**body, "user_id": token.user_id})


def _push(state: PushState) -> TokenPushView:
    known: Literal["sent", "refused"] = "sent" if state.problem is None else "refused"
    return TokenPushView(connection=state.connection, state="waiting" if state.is_due else known, problem=state.problem)


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _store(request: Request) -> UserTokenStore:
    return UserTokenStore(_services(request).database)
