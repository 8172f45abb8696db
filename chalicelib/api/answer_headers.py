"""What every answer says to browsers, in one place: nothing here is a page unless it says so, and nobody frames it.

Added to what an answer says itself: a page's own policy stands, and so does what a flow's `respond` step says.
"""

from typing import Final

from chalicelib.api.request import Answer

Headers = tuple[tuple[str, str], ...]

_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_POWERS: Final = (
    *("accelerometer", "autoplay", "camera", "clipboard-read", "display-capture", "encrypted-media", "fullscreen"),
    *("geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts", "magnetometer"),
    *("microphone", "midi", "otp-credentials", "payment", "picture-in-picture", "publickey-credentials-create"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb", "web-share"),
    *("window-management", "xr-spatial-tracking"),
)
_ALWAYS: Final[Headers] = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", _POLICY),
    ("permissions-policy", ", ".join(f"{name}=()" for name in _POWERS)),
    ("cross-origin-opener-policy", "same-origin"),
)
_OURS: Final[Headers] = (
    *_ALWAYS,
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)
_ENCRYPTED: Final[tuple[str, str]] = ("strict-transport-security", "max-age=31536000")
"""A year; of this host alone: the names below it may be somebody else's."""
_COOKIES: Final = ("penstock=", "__host-penstock=")


def guarded(answer: Answer, *, is_encrypted: bool, is_flows: bool = False) -> Answer:
    """The answer with what it does not say itself.

    Args:
        answer: as its handler made it.
        is_encrypted: whether the deployment is reached by https.
        is_flows: whether a flow says it: others may embed what it serves and keep it, if it says so. It sets no cookie
            of ours, with which it could sign its reader in as somebody else.
    """
    given = answer.headers
    if is_flows:
        given = tuple(pair for pair in given if not _is_our_cookie(*pair))
    said = {name for name, _ in given}
    wanted = _ALWAYS if is_flows else _OURS
    more: list[tuple[str, str]] = [pair for pair in wanted if pair[0] not in said]
    if is_encrypted and _ENCRYPTED[0] not in said:
        more.append(_ENCRYPTED)
    return answer._replace(headers=(*given, *more))


def _is_our_cookie(name: str, value: str) -> bool:
    return name == "set-cookie" and value.strip().lower().replace(" ", "").startswith(_COOKIES)
