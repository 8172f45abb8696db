"""The rows of the table of routes that connect credentials: `routes` reads each as the arguments of a Route."""

from typing import Final, TypeAlias

from chalicelib.api.auth import Role

Row: TypeAlias = tuple[tuple[str, ...], str, str, Role | None, str, tuple[tuple[int, str], ...], str, str, bool]

_CONNECT: Final = "/api/v1/credentials/{name}/connect"

CONSENTS: Final[tuple[Row, ...]] = (
    (
        ("POST",),
        _CONNECT,
        "consents:begin",
        Role.EDITOR,
        "Begin to connect a credential: where a person agrees, once and within ten minutes.",
        ((200, "ConsentBegun"),),
        "",
        "",
        False,
    ),
    (
        ("GET",),
        f"{_CONNECT}/{{attempt}}",
        "consents:show",
        Role.EDITOR,
        "Say how connecting stands, to whoever began it.",
        ((200, "Consent"),),
        "",
        "",
        False,
    ),
    (
        ("GET",),
        "/oauth/callback",
        "consents:finish",
        None,
        "Where a service sends a person back to, who has agreed or not; it works once.",
        ((200, "Connected"),),
        "*",
        "",
        True,
    ),
)
