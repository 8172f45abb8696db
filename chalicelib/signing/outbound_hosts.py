"""Where a credential may go, and which AWS service a host stands for."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from chalicelib.errors import CredentialUnfitError
from chalicelib.signing.canonical import split_url

_PATTERN: Final = re.compile(r"(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_SCOPE_TEXT: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_AWS_HOST: Final = re.compile(r"(?:.*\.)?([a-z0-9-]+)\.([a-z]{2}(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?:\.cn)?")
_GLOBAL_HOST: Final = re.compile(r"(iam|sts|s3|route53|cloudfront|organizations)\.amazonaws\.com")
_FUNCTION_URL: Final = re.compile(r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws")


def refuse_other_hosts(fields: Mapping[str, str], host: str) -> None:
    """Raise CredentialUnfitError unless the credential names this host (`host` or `host:port`), or has no `hosts`."""
    listed = fields.get("hosts")
    if listed is None:
        return
    patterns = [text.strip().lower() for text in str(listed).split(",")]
    matches = [_PATTERN.fullmatch(text.removesuffix(".")) for text in patterns]
    if not all(matches):
        raise CredentialUnfitError(
            "The credential's field hosts is a list such as `api.example.com, *.example.com`: no scheme, no path."
        )
    if not any(_fits(match, host) for match in matches if match):
        raise CredentialUnfitError(f"The credential may not go to {host[:120]}. It may go to: {', '.join(patterns)}.")


def is_host_pattern(text: str) -> bool:
    """Whether a text names hosts as a list does: `api.example.com`, `*.example.com`, `example.com:8443`."""
    return _PATTERN.fullmatch(text) is not None


def is_listed(patterns: Iterable[str], host: str) -> bool:
    """Whether one of these patterns names a host (`host` or `host:port`, as `canonical.split_url` gives it)."""
    return any((match := _PATTERN.fullmatch(text)) is not None and _fits(match, host) for text in patterns)


def _fits(pattern: re.Match[str], host: str) -> bool:
    name, port = re.fullmatch(r"(.*?)(:[0-9]+)?", host).groups()  # pyright: ignore[reportOptionalMemberAccess]
    name = name.removesuffix(".")
    if pattern[3] and pattern[3] != port:
        return False
    return name.endswith(f".{pattern[2]}") if pattern[1] else name == pattern[2]


def aws_scope(fields: Mapping[str, str], url: str) -> tuple[str, str]:
    """The region and the service to sign for: the credential's, else what the host says.

    Raises CredentialUnfitError if neither says it, or the text could not stand in a signature's scope.
    """
    region, service = fields.get("region") or "", fields.get("service") or ""
    if not (region and service):
        of_host = _scope_of_host(split_url(url)[0])
        region, service = region or of_host[0], service or of_host[1]
    for name, text in (("region", region), ("service", service)):
        if not _SCOPE_TEXT.fullmatch(text):
            raise CredentialUnfitError(f"To sign for AWS the credential or the step must say the {name}.")
    return region, service


def _scope_of_host(host: str) -> tuple[str, str]:
    # docs: AWS General Reference, "AWS service endpoints"; dual-stack names have one label more.
    if match := _AWS_HOST.fullmatch(host.replace(".dualstack.", ".")):
        return match[2], match[1]
    if match := _GLOBAL_HOST.fullmatch(host):
        return "us-east-1", match[1]
    if match := _FUNCTION_URL.fullmatch(host):
        return match[1], "lambda"
    return "", ""
