"""GitHub: issues."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.address import path_part
from chalicelib.kit.answers import json_of
from chalicelib.kit.fields import LongText
from chalicelib.kit.outputs import TEXT, WHOLE, answered
from chalicelib.kit.service import RateLimit, Service
from chalicelib.kit.values import Request, Response

GITHUB = Service(
    "GitHub",
    base_url="https://api.github.com",
    credential="bearer",
    headers={
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        "user-agent": "penstock",
    },
    rate_limit=RateLimit("x-ratelimit-remaining", "x-ratelimit-reset"),
    docs="https://docs.github.com/en/rest/issues/issues#create-an-issue",
)

Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]


class CreateIssue(Action):
    """Create an issue in a repository.

    The value is the issue as GitHub describes it: `number`, `html_url`, `id`, `title`, `state` and more.
    """

    service = GITHUB
    effect = "at_least_once"
    output = answered(number=WHOLE, html_url=TEXT, id=WHOLE, title=TEXT, state=TEXT)
    example = Example(
        given={"repository": "octo/shop", "title": "Export failed", "body": "Since 06:00.", "labels": ["bug"]},
        sends=(
            Request(
                "POST",
                "/repos/octo/shop/issues",
                json={"title": "Export failed", "body": "Since 06:00.", "labels": ["bug"]},
            ),
        ),
        receives=(
            Response.of(
                {"number": 17, "html_url": "https://github.com/octo/shop/issues/17", "state": "open"}, status=201
            ),
        ),
        returns={"number": 17, "html_url": "https://github.com/octo/shop/issues/17", "state": "open"},
    )

    repository: Repository
    """The repository, as `owner/name`."""
    title: Annotated[str, Field(min_length=1)]
    """The issue's title."""
    body: LongText | None = None
    """What it says, in Markdown."""
    labels: list[str] | None = None
    """Labels, by name; GitHub drops them silently without push access."""
    assignees: list[str] | None = None
    """Who it is assigned to, by login; GitHub drops them silently without push access."""
    milestone: int | None = None
    """The number of a milestone."""
    type: str | None = None
    """The name of an issue type of the organisation."""

    def run(self) -> Conversation:
        """Create it."""
        owner, _, name = self.repository.partition("/")
        path = f"/repos/{path_part(owner, 'repository')}/{path_part(name, 'repository')}/issues"
        response: Response = yield Request(
            "POST", path, json=self.model_dump(exclude={"repository"}, exclude_none=True)
        )
        return json_of(response)
