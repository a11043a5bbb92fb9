"""Which URLs of peers we call (docs/trust.md 2.41, 2.42)."""

import pytest

from charging.ocpi.peer_url import UnusablePeerUrl, check_peer_url, same_host


@pytest.mark.trust("2.41")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/versions",
        "https://127.0.0.1/versions",
        "https://localhost/versions",
        "https://169.254.169.254/latest",
        "https://[::1]/versions",
        "https://[::ffff:127.0.0.1]/versions",
        "https://2130706433/versions",
        "https://0x7f.1/versions",
        "https://127.1/versions",
        "https://10.1.2.3/versions",
        "https://100.64.0.1/versions",
        "https://[fd00::1]/versions",
        "https://224.0.0.1/versions",
        "https://0.0.0.0/versions",
        "https://user@8.8.8.8/versions",
        "https://user:pass@8.8.8.8/versions",
        "https://@8.8.8.8/versions",
        "ftp://8.8.8.8/versions",
        "https:///versions",
        "https://[::1/versions",
        "https://8.8.8.8:port/versions",
        "https://8.8.8.8\\@10.0.0.1/",
        "https://8.8.8.8/ versions",
        "https://8.8.8.8/\nversions",
        "https://exämple.com/",
        "https://8.8.8.8/" + "x" * 255,
        "versions",
        "",
    ],
)
async def test_anything_but_a_plain_public_https_url_is_refused(url: str) -> None:
    with pytest.raises(UnusablePeerUrl):
        await check_peer_url(url, allow_private=False)


@pytest.mark.parametrize("url", ["https://8.8.8.8/versions", "https://[2606:4700::1111]:8443/ocpi"])
async def test_a_public_address_is_taken(url: str) -> None:
    await check_peer_url(url, allow_private=False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://cpo.internal/", "http://[::1]/", "http://10.1.2.3/", "http://[fd00::1]/"]
)
async def test_private_peers_are_taken_where_they_are_allowed(url: str) -> None:
    await check_peer_url(url, allow_private=True)


@pytest.mark.trust("2.41")
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
    ],
)
async def test_no_peer_is_at_a_link_local_or_metadata_address(host: str) -> None:
    with pytest.raises(UnusablePeerUrl):
        await check_peer_url(f"http://{host}/versions", allow_private=True)


@pytest.mark.trust("2.41")
@pytest.mark.parametrize("url", ["http://user@127.0.0.1/", "http://2130706433/", "file:///etc/passwd", "nonsense"])
async def test_disguises_are_refused_also_where_private_peers_are_allowed(url: str) -> None:
    with pytest.raises(UnusablePeerUrl):
        await check_peer_url(url, allow_private=True)


@pytest.mark.trust("2.42")
@pytest.mark.parametrize(
    ("url", "is_same"),
    [
        ("https://cpo.example/locations", True),
        ("https://CPO.example:8443/locations", True),
        ("http://cpo.example/locations", False),
        ("https://other.example/locations", False),
        ("https://cpo.example.evil.example/", False),
        ("/locations", False),
        ("https://[broken", False),
    ],
)
def test_a_token_stays_on_its_host_and_under_tls(url: str, is_same: bool) -> None:
    assert same_host(url, "https://cpo.example/versions") is is_same
