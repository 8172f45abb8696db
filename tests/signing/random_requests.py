"""Seeded random requests to sign, and the causes for which botocore signs some of them otherwise."""

import random
import re
from dataclasses import dataclass, replace
from urllib.parse import quote

SERVICES = ("dynamodb", "sqs", "sns", "lambda", "execute-api", "iam", "s3", "s3", "s3", "s3express")
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH")
UNICODE = "aZ09-._~ éß€日本\U0001f600ሴ+*'()!@$&=,;:/?#[]%\"<>\\^`{|}"
NAMES = ("Content-Type", "X-Amz-Target", "x-amz-meta-note", "X-Custom", "x-custom-2", "Range", "If-Match", "Cache-Control",
         "User-Agent", "traceparent", "Connection", "X-Amzn-Trace-Id", "Content-MD5", "x_under", "A", "Zz-9")  # fmt: skip
VALUES = (
    "application/json",
    "a",
    "  padded  ",
    "two  spaces",
    "tab\tinside",
    "a, b",
    '"quoted   text"',
    "größe",
    "日本",
    "bytes=0-9",
    "",
    "=;:,",
    "x" * 300,
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One request, as both signers are given it."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    service: str
    region: str
    token: str | None
    expires_seconds: int


def draw(dice: random.Random) -> Drawn:
    """A request as SDKs and careful callers write it: URLs are encoded; one in two hundred holds something odd."""
    service = dice.choice(SERVICES)
    odd = dice.random() < 0.005
    scheme = "https" if dice.random() < 0.9 else "http"
    port = dice.choice(("", "", "", "", ":443", ":80", ":8443", ":4566"))
    host = dice.choice((f"{service}.eu-central-1.amazonaws.com", "127.0.0.1", "localhost", "Example.COM", "[::1]"))
    path = _path(dice, service, raw=odd and dice.random() < 0.4)
    query = _query(dice, odd=odd)
    return Drawn(
        dice.choice(METHODS),
        f"{scheme}://{host}{port}{path}{query}",
        _headers(dice, odd=odd and dice.random() < 0.3),
        dice.randbytes(dice.choice((0, 0, 1, 20, 500))),
        service,
        dice.choice(("eu-central-1", "us-east-1", "cn-north-1")),
        dice.choice((None, None, "FwoGZXIvYXdzEB+/==%41 token")),
        dice.choice((1, 60, 3600, 604800)),
    )


def _word(dice, least=0):
    return "".join(dice.choice(UNICODE) for _ in range(dice.randint(least, 8)))


def _path(dice, service, *, raw):
    segments = []
    for _ in range(dice.randint(0, 4)):
        special = dice.random()
        if special < 0.06:
            segments.append(
                dice.choice((".", "..", "", "%2E%2E")) if not service.startswith("s3") or special < 0.01 else ".."
            )
            continue
        word = _word(dice, 1)
        segments.append(re.sub(r"[?#\\]", "", word) if raw else quote(word, safe="~"))
    tail = "/" if dice.random() < 0.2 else ""
    return "/" + "/".join(segments) + tail


def _query(dice, *, odd):
    if dice.random() < 0.35 and not odd:
        return ""
    names = dice.sample(
        ("a", "A", "a-b", "b", "list-type", "prefix", "acl", "é", "key with space", "x+y", "Version", "%25"),
        dice.randint(1, 5),
    )
    pairs = [f"{quote(name, safe='~')}={quote(_word(dice), safe='~')}" for name in names]
    if odd:
        match dice.randrange(6):
            case 0:
                pairs.append(pairs[0].partition("=")[0] + "=again")
            case 1:
                pairs.insert(0, "")
            case 2:
                pairs.append("flag=a+b")
            case 3:
                pairs.append("raw=(a)*$:@,!'é")
            case 4:
                pairs.append("lower=%c3%a9%7e")
            case _:
                pairs.append("eq=a=b")
    elif dice.random() < 0.1:
        pairs.append("uploads=")
    dice.shuffle(pairs)
    return "?" + "&".join(pairs)


def _headers(dice, *, odd):
    headers = [(name, dice.choice(VALUES)) for name in dice.sample(NAMES, dice.randint(0, 6))]
    if headers and dice.random() < 0.3:
        name = dice.choice(headers)[0]
        headers.append((dice.choice((name, name.lower(), name.upper())), dice.choice(VALUES)))
    if odd:
        headers.append(("x-odd", dice.choice(("no\u00a0break", "a\u2003b", "\u00a0"))))
    return tuple(headers)


def causes(drawn: Drawn, *, presigned: bool) -> list[str]:
    """Why botocore may sign this otherwise; each is a rule of the published vectors or the documentation."""
    path, _, query = drawn.url.partition("://")[2].partition("?")
    path = "/" + path.partition("/")[2]
    pairs = query.split("&") if query else []
    names = [pair.partition("=")[0] for pair in pairs]
    found = []
    if drawn.service.startswith("s3") and quote_once(path) != path:
        found.append("S3 path not in its one encoded form (botocore signs it as written)")
    if "" in pairs:
        found.append("empty pair between two & (botocore signs a nameless parameter)")
    if presigned and len(set(names)) < len(names):
        found.append("repeated query parameter (botocore presigns the first alone)")
    if presigned and "+" in query:
        found.append("+ in the query (botocore presigns a space)")
    if not presigned and any(quote_once(part) != part for pair in pairs for part in pair.partition("=")[::2]):
        found.append("query not in its one encoded form (botocore signs it as written)")
    if any(re.search(r"[^\S \t\r\n]", value) for _, value in drawn.headers):
        found.append("white space beyond ASCII in a header (botocore collapses it)")
    return found


def mended(drawn: Drawn) -> Drawn:
    """The same request without anything odd: on this both signers must agree, or the cause named was not the cause."""
    scheme, _, rest = drawn.url.partition("://")
    address, _, query = rest.partition("?")
    host, _, path = address.partition("/")
    if drawn.service.startswith("s3"):
        path = quote_once(path)
    pairs: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        pairs.setdefault(quote_once(name), quote_once(value))
    query = "&".join(f"{name}={value}" for name, value in pairs.items())
    headers = tuple((name, re.sub(r"[^\S \t\r\n]", "-", value)) for name, value in drawn.headers)
    return replace(drawn, url=f"{scheme}://{host}/{path}{'?' if query else ''}{query}", headers=headers)


def quote_once(text: str) -> str:
    """An independent reading of "encoded once": unreserved characters as they are, upper-case escapes, `/` kept."""
    out = []
    for match in re.finditer(r"%([0-9A-Fa-f]{2})|(.)", text, re.DOTALL):
        for byte in [int(match[1], 16)] if match[1] else match[2].encode():
            kept = chr(byte) in "-._~/" or (byte < 128 and chr(byte).isalnum())
            out.append(chr(byte) if kept and not (match[1] and byte == 0x2F) else f"%{byte:02X}")
    return "".join(out)
