"""The rows of the table of routes that are about credentials: `routes` reads each as the arguments of a Route."""

from typing import Final

from chalicelib.api.auth import Role

_ALL: Final = "/api/v1/credentials"
_ONE: Final = f"{_ALL}/{{name}}"
_SHOWN: Final = ((200, "Credential"),)

CREDENTIALS: Final[tuple[tuple[tuple[str, ...], str, str, Role, str, tuple[tuple[int, str], ...], str, str], ...]] = (
    (
        ("GET",),
        _ALL,
        "credentials:list_credentials",
        Role.VIEWER,
        "List the credentials, never their values.",
        ((200, "Credentials"),),
        "",
        "",
    ),
    (("GET",), _ONE, "credentials:show", Role.VIEWER, "Show a credential, never its values.", _SHOWN, "", ""),
    (
        ("PUT",),
        _ONE,
        "credentials:keep",
        Role.EDITOR,
        "Store a credential, over one that is there.",
        (*_SHOWN, (201, "Credential")),
        "",
        "NewCredential",
    ),
    (
        ("DELETE",),
        _ONE,
        "credentials:remove",
        Role.EDITOR,
        "Remove a credential for good.",
        ((200, "CredentialGone"),),
        "",
        "",
    ),
    (
        ("POST",),
        f"{_ONE}/rotate",
        "credentials:rotate",
        Role.EDITOR,
        "Give a credential new values, as a new version.",
        _SHOWN,
        "",
        "CredentialRotation",
    ),
    (
        ("POST",),
        f"{_ONE}/share",
        "credentials:share",
        Role.ADMIN,
        "Say who may use a credential, and which flows.",
        _SHOWN,
        "",
        "CredentialShare",
    ),
    (
        ("POST",),
        f"{_ONE}/test",
        "credentials:test",
        Role.EDITOR,
        "Open a credential, and ask its service whether it takes it.",
        ((200, "CredentialTested"),),
        "",
        "CredentialTest",
    ),
    (
        ("POST",),
        "/api/v1/vault/rewrap",
        "credentials:rewrap",
        Role.ADMIN,
        "Bring some of the credentials under the current master key, or a new one.",
        ((200, "VaultRewrapped"),),
        "",
        "VaultRewrap",
    ),
)
