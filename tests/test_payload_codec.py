"""What Temporal gets to keep: ciphertext, whose keys can be changed under open sessions."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from charging.errors import PayloadUnreadable
from charging.payload_codec import ENCODING, KEY_ID, data_converter
from charging.settings import Settings

SECRET = "robot@example.com"


def with_keys(keys: str, *, encrypt: bool = True) -> Settings:
    return Settings(secret_keys=keys, encrypt_payloads=encrypt)


async def written(settings: Settings, value: object = SECRET) -> Payload:
    """``value`` as it stands in Temporal."""
    (payload,) = await data_converter(settings).encode([value])
    return payload


async def read(settings: Settings, payload: Payload) -> object:
    return (await data_converter(settings).decode([payload]))[0]


async def test_a_payload_is_ciphertext_that_names_its_key_and_is_never_the_same_twice() -> None:
    first, second = await written(with_keys("k")), await written(with_keys("k"))
    assert first.metadata["encoding"] == ENCODING
    assert set(first.metadata) == {"encoding", KEY_ID}
    assert SECRET.encode() not in first.SerializeToString()
    assert first.data != second.data
    assert await read(with_keys("k"), first) == SECRET


async def test_after_a_rotation_the_new_key_writes_and_the_old_one_is_still_read() -> None:
    old = await written(with_keys("old"))
    new = await written(with_keys("new,old"))
    assert new.metadata[KEY_ID] != old.metadata[KEY_ID]
    assert [await read(with_keys("new,old"), payload) for payload in (old, new)] == [SECRET, SECRET]
    with pytest.raises(PayloadUnreadable):
        await read(with_keys("old"), new)


async def test_a_key_that_is_not_there_is_named_beside_those_that_are() -> None:
    lost, known = await written(with_keys("lost")), await written(with_keys("known"))
    with pytest.raises(PayloadUnreadable) as refusal:
        await read(with_keys("known"), lost)
    for payload in (lost, known):
        assert payload.metadata[KEY_ID].decode() in str(refusal.value)


@pytest.mark.parametrize("cut", [slice(-1), slice(20), slice(0)], ids=["tag", "head only", "nothing"])
async def test_a_payload_that_was_changed_is_not_read(cut: slice) -> None:
    payload = await written(with_keys("k"))
    payload.data = payload.data[cut]
    with pytest.raises(PayloadUnreadable, match="has been changed"):
        await read(with_keys("k"), payload)


async def test_encryption_can_be_switched_on_and_off_under_open_sessions() -> None:
    on, off = with_keys("k"), with_keys("k", encrypt=False)
    plain, sealed = await written(off), await written(on)
    assert SECRET.encode() in plain.data
    assert [await read(on, plain), await read(off, sealed)] == [SECRET, SECRET]


async def test_the_words_of_an_error_are_ciphertext_too() -> None:
    failure = Failure()
    try:
        raise ApplicationError(SECRET, {"user": SECRET}) from ValueError(SECRET)
    except ApplicationError as error:
        await data_converter(with_keys("k")).encode_failure(error, failure)
    assert SECRET.encode() not in failure.SerializeToString()
    assert SECRET in str(await data_converter(with_keys("k")).decode_failure(failure))


@pytest.mark.parametrize(("environment", "encrypts"), [("production", True), ("development", False)])
def test_where_nobody_says_otherwise_production_encrypts(environment: str, encrypts: bool) -> None:
    secrets = {
        "admin_key": "a" * 32,
        "secret_keys": "b" * 32,
        "public_url": "https://charging.example",
        "jwks_url": "https://idp.example/keys",
        "jwt_algorithms": ["RS256"],
        "jwt_audience": "https://charging.example",
    }
    settings = Settings.model_validate({"environment": environment, **secrets})
    assert settings.encrypts_payloads is encrypts
