"""The functions' policies, made exact for where they are deployed to.

The files in `.chalice/` are committed, and know neither the account nor the region: they say `${AWS::AccountId}`,
`${AWS::Region}` and `${AWS::Partition}`, as CloudFormation does. `chalice deploy` fills them in; `chalice package`
leaves that to CloudFormation. A policy with `*` in those places would reach into whatever account lets it.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from chalicelib.adapters.aws.names import Names
from chalicelib.errors import PenstockError

_MARK = "${AWS::"


class PolicyError(PenstockError):
    """A policy file says something that is not known; the message names it."""

    code = "policy_unknown_place"


def exact(document: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The policy for one account and region; raises PolicyError for a place that is none of the three."""
    text = json.dumps(document)
    places = {"Partition": names.partition, "Region": names.region, "AccountId": names.account}
    for name, value in places.items():
        text = text.replace(f"{_MARK}{name}}}", value)
    if _MARK in text:
        unknown = text[text.index(_MARK) :].partition("}")[0]
        raise PolicyError(f"A policy says {unknown}}}. Write {', '.join(f'{_MARK}{name}}}' for name in places)} alone.")
    return json.loads(text)


def for_cloudformation(document: Any) -> Any:
    """The same with every such text wrapped so that CloudFormation fills it in."""
    match document:
        case str() if _MARK in document:
            return {"Fn::Sub": document}
        case dict():
            entries = cast("dict[str, Any]", document)
            return {name: for_cloudformation(each) for name, each in entries.items()}
        case list():
            return [for_cloudformation(each) for each in cast("list[Any]", document)]
        case _:
            return document
