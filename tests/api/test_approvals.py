"""The page of an approval: looking decides nothing, a button does, once; every text is escaped, every mistake shown."""

import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from chalicelib.api.approvals import LARGEST
from chalicelib.errors import StoreError
from tests.api.house import House, conforms, loaded, refused

FORM = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"accept": "application/json"}
GOOD = {"decision": "approved", "by": "Ann", "comment": "Fine."}
ASK = "Ship 250 € to Ann?"
VOID = {"meta", "input", "link", "br"}


class Page(HTMLParser):
    """A page that was read: its elements, their attributes, their text; whether every element is closed."""

    def __init__(self, answer):
        super().__init__()
        self.stack, self.elements, self.texts = [], [], []
        self.feed(answer.body.decode())
        self.close()
        assert self.stack == [], "an element was left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def all(self, tag, **wanted):
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    def one(self, tag, **wanted):
        (found,) = self.all(tag, **wanted)
        return found


def opened(house, path, headers=BROWSER):
    return house.send("GET", path, headers=headers)


def sent(house, path, fields, headers=BROWSER):
    return house.send("POST", path, urlencode(fields).encode(), headers={**FORM, **headers})


@pytest.fixture
def house():
    return House()


def test_the_page_says_what_is_asked_by_which_flow_and_until_when(house):
    answer = opened(house, house.ask("approval", ask=ASK))
    page = Page(answer)
    assert answer.status == 200
    assert "Approval needed: The large ones" in page.text
    assert ASK in page.text
    assert "Flow" in page.text
    assert "shop" in page.text
    assert "22 November 2026, 07:00 UTC" in page.text
    assert page.one("time")["datetime"] == "2026-11-22T07:00:00.000Z"
    assert {button.get("value") for button in page.all("button", name="decision")} == {"approved", "rejected"}


def test_an_approval_that_never_expires_says_so(house):
    assert "Expires never" in Page(opened(house, house.ask("approval", due=0))).text.replace("Expires", "Expires ")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?decision=approved&by=scanner", "?utm_source=mail"])
def test_looking_never_answers(house, method, query):
    path = house.ask("approval", ask=ASK)
    for _ in range(3):
        assert house.send(method, path + query, headers=BROWSER).status == 200
    assert house.door.signals == []
    refused(house.send("PUT", path, b"{}"), 405, "method_not_allowed")


def test_the_page_is_one_that_everybody_can_use(house):
    page = Page(opened(house, house.ask("approval", ask=ASK)))
    assert page.one("html")["lang"] == "en"
    assert page.one("title") == {}
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    labelled = {label["for"] for label in page.all("label")}
    fields = [*page.all("input"), *page.all("textarea"), *page.all("select")]
    assert labelled == {field["id"] for field in fields} == {"by", "comment"}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    described = " ".join(attributes.get("aria-describedby", "") for _, attributes in page.elements).split()
    assert set(described) <= set(ids)
    assert not [attributes for _, attributes in page.elements if int(attributes.get("tabindex") or 0) > 0]


def test_the_fields_come_before_the_buttons_and_the_enter_key_decides_nothing(house):
    page = Page(opened(house, house.ask("approval", ask=ASK)))
    order = [tag for tag, _ in page.elements if tag in {"input", "textarea", "button"}]
    assert order == ["button", "input", "textarea", "button", "button"]
    first = page.all("button")[0]
    assert {"disabled", "hidden"} <= first.keys()
    assert "name" not in first


def test_the_page_needs_no_script_and_loads_nothing(house):
    answer = opened(house, house.ask("approval", ask=ASK))
    page = Page(answer)
    assert not page.all("script")
    loading = [a for _, a in page.elements if a.keys() & {"src", "href", "onclick", "style", "srcset", "action"}]
    assert loading == []
    assert "url(" not in answer.body.decode()
    assert "@import" not in answer.body.decode()


def test_the_page_is_kept_by_nobody_framed_by_nobody_and_tells_its_address_to_nobody(house):
    for path in (house.ask("approval"), house.ask("approval", "answered", step="b"), "/approvals/wrong"):
        answer = opened(house, path)
        policy = answer.header("content-security-policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert answer.header("content-type") == "text/html; charset=utf-8"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-robots-tag") == "noindex, nofollow"
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("x-content-type-options") == "nosniff"
        assert Page(answer).one("meta", name="robots")["content"] == "noindex, nofollow"


def test_the_style_is_the_one_that_the_policy_allows(house):
    import base64
    import hashlib

    answer = opened(house, house.ask("approval"))
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.header("content-security-policy")


def luminance(colour):
    """Relative luminance (WCAG 2.2, definitions)."""
    digits = colour.lstrip("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_edges_stand_out_in_light_and_in_dark(house):
    style = re.search(r"<style>(.*?)</style>", opened(house, house.ask("approval")).body.decode(), re.DOTALL).group(1)
    schemes = [dict(re.findall(r"--(\w+):(#\w+)", each)) for each in re.findall(r":root\{(.*?)\}", style)]
    assert len(schemes) == 2
    for colours in schemes:
        for name in ("ink", "quiet", "wrong", "link"):
            assert contrast(colours[name], colours["paper"]) >= 7, (name, colours)
        assert contrast(colours["edge"], colours["paper"]) >= 4.5
    background, ink = re.search(r"value=approved\]\{background:(#\w+).*?;color:(#\w+)", style).groups()
    assert contrast(ink, background) >= 7


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_button_answers_once_and_the_page_says_what_was_recorded(house, decision):
    path = house.ask("approval", ask=ASK)
    answer = sent(house, path, {"decision": decision, "by": " Ann ", "comment": "one\r\ntwo"})
    page = Page(answer)
    assert answer.status == 200
    assert f"Recorded: {decision} by Ann" in page.text
    assert "one two" in page.text
    assert not page.all("form")
    ((link, signal),) = house.door.signals
    assert (link.step, link.tenant) == ("approve", "main")
    assert (signal.port, signal.value) == (decision, {"by": "Ann", "comment": "one\ntwo", "via": "link"})
    again = sent(house, path, {"decision": "rejected", "by": "Bo"})
    assert again.status == 409
    assert f"answered before: {decision}" in Page(again).text
    assert len(house.door.signals) == 1


def test_a_program_asks_and_answers_in_json(house):
    path = house.ask("approval", ask=ASK, by=["Ann", "Bo"])
    assert conforms(opened(house, path, PROGRAM), "Approval") == {
        "flow": "shop",
        "step": "approve",
        "name": "The large ones",
        "status": "waiting",
        "ask": ASK,
        "by": ["Ann", "Bo"],
        "expires": "2026-11-22T07:00:00.000Z",
    }
    answer = house.send("POST", path, {"decision": "approved", "by": "Bo"})
    assert conforms(answer, "Decided") == {
        "flow": "shop",
        "step": "approve",
        "decision": "approved",
        "by": "Bo",
        "comment": "",
        "via": "link",
    }
    refused(house.send("POST", path, {"decision": "rejected", "by": "Ann"}), 409, "link_used")
    refused(opened(house, path, PROGRAM), 409, "link_used")


def test_where_names_are_given_one_of_them_is_chosen(house):
    path = house.ask("approval", ask=ASK, by=["Ann", "Bo"])
    page = Page(opened(house, path))
    assert [option["value"] for option in page.all("option")] == ["", "Ann", "Bo"]
    assert not [option for option in page.all("option") if "selected" in option]
    assert not page.all("input")
    answer = sent(house, path, {**GOOD, "by": "Mallory"})
    assert answer.status == 422
    assert "not among those who may answer: Ann, Bo" in Page(answer).text
    assert house.door.signals == []
    assert sent(house, path, {**GOOD, "by": "Bo"}).status == 200
    alone = Page(opened(house, house.ask("approval", step="alone", by=["Ann"])))
    assert [option["value"] for option in alone.all("option") if "selected" in option] == ["Ann"]


def test_an_answer_before_the_step_waits_is_kept(house):
    path = house.ask("approval", "early", due=0)
    page = Page(opened(house, path))
    assert "has not come to this step yet" in page.text
    assert "not known yet" in page.text
    assert page.one("form")["method"] == "post"
    answer = sent(house, path, GOOD)
    assert answer.status == 200
    assert "Your answer is kept until it does" in Page(answer).text
    assert len(house.door.signals) == 1
    assert loaded(opened(house, house.ask("approval", "early", step="b"), PROGRAM))["status"] == "early"


@pytest.mark.parametrize(
    ("status", "number", "code", "says"),
    [
        ("answered", 409, "link_used", "This was answered before: approved"),
        ("expired", 410, "link_expired", "is over"),
        ("ended", 409, "execution_ended", "has ended"),
    ],
)
def test_what_is_over_says_so_to_people_and_to_programs(house, status, number, code, says):
    path = house.ask("approval", status, ask=ASK)
    for answer in (opened(house, path), sent(house, path, GOOD)):
        assert answer.status == number
        assert says in Page(answer).text
        assert not Page(answer).all("form")
        assert Page(answer).one("html")["lang"] == "en"
    for answer in (opened(house, path, PROGRAM), house.send("POST", path, GOOD)):
        assert refused(answer, number, code)["step"] == "approve"
    assert house.door.signals == []


def altered(path):
    """Links that are almost right."""
    head, _, link = path.rpartition("/")
    payload, _, mac = link.partition(".")
    other = {"A": "B"}.get(mac[0], "A") + mac[1:]
    return [
        f"{head}/{link[:-1]}",
        f"{head}/{payload}.{other}",
        f"{head}/{payload[:-1]}.{mac}",
        f"{head}/{payload}",
        f"{head}/{payload}.",
        f"{head}/.{mac}",
        f"{head}/{link}{link}",
        f"{head}/{payload}%00.{mac}",
        f"{head}/%E2%98%83.{mac}",
        f"{head}/{'A' * 5000}.{mac}",
        f"{head}/nothing",
    ]


def test_a_link_that_is_wrong_altered_or_anothers_leads_nowhere(house):
    path = house.ask("approval", ask=ASK)
    wrong = [*altered(path), house.ask("callback", step="other").replace("/callbacks/", "/approvals/")]
    for each in wrong:
        answer = opened(house, each)
        assert answer.status == 404, each
        assert "This link leads nowhere" in Page(answer).text
        refused(opened(house, each, PROGRAM), 404, "link_wrong")
        refused(house.send("POST", each, GOOD), 404, "link_wrong")
    assert house.door.signals == []
    assert house.is_up()
    assert sent(house, path, GOOD).status == 200


def test_a_link_of_what_is_gone_leads_nowhere(house):
    path = house.ask("approval")
    house.door.asked_of.clear()
    assert opened(house, path).status == 404
    assert sent(house, path, GOOD).status == 404


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"by": "Ann", "comment": "kept"}, "decision", "Choose Approve or Reject"),
        ({"decision": "maybe", "by": "Ann", "comment": "kept"}, "decision", "Choose Approve or Reject"),
        ({"decision": "expired", "by": "Ann", "comment": "kept"}, "decision", "Choose Approve or Reject"),
        ({"decision": "approved", "comment": "kept"}, "by", "Say who answers"),
        ({"decision": "approved", "by": "  ", "comment": "kept"}, "by", "Say who answers"),
        ({"decision": "approved", "by": "x" * 201, "comment": "kept"}, "by", "200 are the most"),
        ({"decision": "approved", "by": "a\nb", "comment": "kept"}, "by", "characters that none has"),
        ({"decision": "approved", "by": "\u202enna", "comment": "kept"}, "by", "characters that none has"),
        ({"decision": "approved", "by": "Ann", "comment": "x" * 2001}, "comment", "2,000 are the most"),
        ({"decision": "approved", "by": "Ann", "comment": "a\x00b"}, "comment", "control characters"),
        ([("decision", "approved"), ("decision", "rejected"), ("by", "Ann")], "decision", "more than once"),
        ([("decision", "approved"), ("by", "Ann"), ("by", "Bo")], "by", "more than once"),
    ],
)
def test_a_mistake_is_shown_beside_its_field_with_what_was_filled_in(house, fields, field, says):
    path = house.ask("approval", ask=ASK)
    answer = sent(house, path, fields)
    page = Page(answer)
    assert answer.status == 422
    assert page.one("span", id=f"{field}-wrong")["class"] == "wrong"
    assert says in page.text
    assert "Nothing was recorded yet" in page.text
    assert page.one("div", role="alert")
    assert page.one("a", href=f"#{field}")
    assert [tag for tag, attributes in page.elements if attributes.get("id") == field]
    describing = [a["aria-describedby"] for _, a in page.elements if "aria-describedby" in a]
    assert any(f"{field}-wrong" in each.split() for each in describing)
    assert "<title>Error: " in answer.body.decode()
    if isinstance(fields, dict) and field != "comment":
        assert "kept" in page.text
    assert house.door.signals == []
    assert sent(house, path, GOOD).status == 200


def test_a_program_is_told_each_mistake_with_its_place(house):
    path = house.ask("approval")
    told = refused(house.send("POST", path, {"decision": 7, "by": None, "comment": ["a"]}), 422, "parameter")
    assert [each["where"] for each in told["errors"]] == ["body.decision", "body.comment", "body.by"]
    assert house.door.signals == []


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "body_unreadable"),
        (b"decision=approved", {"content-type": "text/plain"}, "body_unreadable"),
        (b"{", {"content-type": "application/json"}, "body_unreadable"),
        (b"[]", {"content-type": "application/json"}, "body_unreadable"),
        (b'{"decision":"approved","by":"\\ud83d"}', {"content-type": "application/json"}, "body_unreadable"),
        (b"by=%ff&decision=approved", FORM, "body_unreadable"),
        (b"by=Ann&decision=approved&" + b"a=1&" * 2000, FORM, "body_unreadable"),
        (b"\xff", {**FORM, "content-encoding": "gzip"}, "body_unreadable"),
        (b"decision=approved&by=Ann&role=admin", FORM, "usage"),
        (b'{"decision":"approved","by":"Ann","via":"api"}', {"content-type": "application/json"}, "usage"),
    ],
)
def test_a_body_that_is_no_answer_is_refused_by_name(house, body, headers, code):
    path = house.ask("approval")
    refused(house.send("POST", path, body, headers={**headers, **PROGRAM}), 400, code)
    page = house.send("POST", path, body, headers={**headers, **BROWSER})
    assert page.status == 400
    assert Page(page).one("h1") == {}
    assert house.door.signals == []
    assert house.is_up()


def test_more_than_an_answer_can_be_is_refused(house):
    path = house.ask("approval")
    body = urlencode({**GOOD, "comment": "x" * LARGEST}).encode()
    refused(house.send("POST", path, body, headers={**FORM, **PROGRAM}), 413, "body_too_large")
    assert house.send("POST", path, body, headers={**FORM, **BROWSER}).status == 413
    assert house.door.signals == []


STRANGE = "</p><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\u202eabc"


def test_no_text_of_a_stranger_becomes_part_of_the_page(house):
    path = house.ask("approval", ask=STRANGE, by=[STRANGE, "Ann"])
    pages = [
        opened(house, path),
        sent(house, path, {"decision": STRANGE, "by": STRANGE, "comment": STRANGE}),
        sent(house, house.ask("approval", step="b"), {"decision": "x", "by": STRANGE, "comment": STRANGE}),
        sent(house, house.ask("approval", step="c"), {"decision": "approved", "by": "<i>Ann", "comment": "</p><b>"}),
    ]
    for answer in pages:
        page = Page(answer)
        assert not page.all("script")
        assert not page.all("img")
        assert not page.all("i")
        assert not page.all("b")
        assert not [a for _, a in page.elements if "onerror" in a]
    assert "alert(1)" in Page(pages[0]).text
    assert Page(pages[2]).one("input", name="by")["value"] == STRANGE
    assert "</p><b>" in Page(pages[3]).text


def test_line_breaks_in_a_comment_come_back_as_they_were(house):
    answer = sent(house, house.ask("approval"), {"by": "Ann", "comment": "\n\n first\nsecond "})
    text = answer.body.decode()
    assert re.search(r"<textarea[^>]*>\n(.*?)</textarea>", text, re.DOTALL).group(1) == "first\nsecond"


def test_a_store_that_fails_is_told_to_a_person_and_logged(house, caplog):
    path = house.ask("approval")
    house.door.raises = StoreError("The table did not answer.", retry_after=2)
    answer = sent(house, path, GOOD)
    assert (answer.status, answer.header("retry-after")) == (503, "2")
    assert "Open the link again" in Page(answer).text
    assert "refused: store" in caplog.text
    house.door.raises = None
    assert sent(house, path, GOOD).status == 200


def test_the_link_is_never_logged(house, caplog):
    path = house.ask("approval")
    house.door.raises = KeyError(path)
    refused(house.send("POST", path, GOOD), 500, "internal")
    assert path.rpartition("/")[2] not in caplog.text
