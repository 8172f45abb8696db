"""Slack: messages to channels and people."""

from typing import Self

from pydantic import model_validator

from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.answers import as_list, as_object, at, json_of
from chalicelib.kit.fields import AnyObject, LongText
from chalicelib.kit.outputs import OBJECT, TEXT, YES_OR_NO, answered
from chalicelib.kit.service import Service
from chalicelib.kit.values import Request, Response


def _said(response: Response) -> str | None:
    """Slack answers 200 with `ok: false` and a word: `channel_not_found`."""
    try:
        body = as_object(response.json)
    except ValueError:
        return None
    if body.get("ok") is not False:
        return None
    word = str(body.get("error") or "unknown_error")
    more = "; ".join(str(line) for line in as_list(at(body, "response_metadata.messages")))
    return f"{word}: {more}" if more else word


SLACK = Service(
    "Slack",
    base_url="https://slack.com/api",
    credential="bearer",
    headers={"content-type": "application/json; charset=utf-8"},
    complaint=_said,
    passing=frozenset({"ratelimited", "rate_limited", "service_unavailable", "internal_error", "request_timeout"}),
    docs="https://docs.slack.dev/reference/methods/chat.postMessage",
)


class PostMessage(Action):
    """Post a message to a channel, or to a person.

    The value is Slack's answer: `channel`, `ts` (which names the message; reply with it as `thread_ts`), `message`.
    """

    service = SLACK
    effect = "at_least_once"
    output = answered(ok=YES_OR_NO, channel=TEXT, ts=TEXT, message=OBJECT)
    example = Example(
        given={"channel": "#ops", "text": "Deployed"},
        sends=(Request("POST", "/chat.postMessage", json={"channel": "#ops", "text": "Deployed"}),),
        receives=(Response.of({"ok": True, "channel": "C024BE91L", "ts": "1405895017.000506"}),),
        returns={"ok": True, "channel": "C024BE91L", "ts": "1405895017.000506"},
    )
    more_examples = (
        Example(
            given={"channel": "C024BE91L", "text": "Fixed", "thread_ts": "1405895017.000506", "reply_broadcast": True},
            sends=(
                Request(
                    "POST",
                    "/chat.postMessage",
                    json={
                        "channel": "C024BE91L",
                        "text": "Fixed",
                        "thread_ts": "1405895017.000506",
                        "reply_broadcast": True,
                    },
                ),
            ),
            receives=(Response.of({"ok": True, "channel": "C024BE91L", "ts": "1405895018.000600"}),),
            returns={"ok": True, "channel": "C024BE91L", "ts": "1405895018.000600"},
            about="A reply in a thread.",
        ),
    )

    channel: str
    """The channel's name or ID, such as `#ops` or `C024BE91L`; a user's ID writes to that person."""
    text: LongText | None = None
    """The message, in Slack's mrkdwn; with `blocks` or `attachments`, what notifications show."""
    blocks: list[AnyObject] | None = None
    """The message as Block Kit blocks."""
    attachments: list[AnyObject] | None = None
    """Secondary content, the older way."""
    thread_ts: str | None = None
    """The `ts` of a message to reply to."""
    reply_broadcast: bool | None = None
    """Whether a reply is shown in the channel too."""
    mrkdwn: bool | None = None
    """False shows `text` without formatting."""
    parse: str | None = None
    """`full` finds names, channels and links in the text; `none` does not."""
    link_names: bool | None = None
    """Whether to find and link user groups."""
    unfurl_links: bool | None = None
    """Whether to show previews of links to text."""
    unfurl_media: bool | None = None
    """Whether to show previews of links to media."""
    username: str | None = None
    """The name the bot goes by in this message."""
    icon_emoji: str | None = None
    """An emoji as the message's picture, such as `:truck:`."""
    icon_url: str | None = None
    """The address of an image as the message's picture."""
    metadata: AnyObject | None = None
    """An event to carry along: `{"event_type", "event_payload"}`."""

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not (self.text or self.blocks or self.attachments):
            raise ValueError("needs `text`, `blocks` or `attachments`: Slack takes no empty message")
        return self

    def run(self) -> Conversation:
        """Post it."""
        response: Response = yield Request("POST", "/chat.postMessage", json=self.model_dump(exclude_none=True))
        return json_of(response)
