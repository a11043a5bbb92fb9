"""Where CPOs find us: the URLs that we give out, in the version that a CPO speaks."""

from charging.ocpi.wire import join_url


def versions_url(public_url: str) -> str:
    """Our versions endpoint."""
    return join_url(public_url, "ocpi", "versions")


def version_url(public_url: str, version: str) -> str:
    """Our version details."""
    return join_url(public_url, "ocpi", version)


def module_url(public_url: str, version: str, module: str, *segments: str) -> str:
    """One of our modules, or an object of it."""
    return join_url(public_url, "ocpi", "emsp", version, module, *segments)
