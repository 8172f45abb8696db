"""Resume links: what was made is read back, and nothing else is."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import LinkWrongError
from chalicelib.signing.links import make_link, read_link

KEY = b"k" * 32
PLACE = ("main", "01jd3v5m2k8r6w9x4z7b0c1e2f", "each/b3", "ask", (3, 0))


def test_a_link_is_read_back_and_is_the_same_every_time():
    link = make_link(KEY, PLACE)
    assert read_link(KEY, link) == PLACE
    assert make_link(KEY, PLACE) == link
    assert link.isascii()
    assert not set(link) & set("/?#%=+ ")


def test_every_changed_character_is_refused():
    link = make_link(KEY, PLACE)
    for place, letter in enumerate(link):
        # The last character of each half holds bits that stand for nothing; any other text is another link all the same.
        for other in "Ab9-_.":
            if other != letter:
                with pytest.raises(LinkWrongError):
                    read_link(KEY, link[:place] + other + link[place + 1 :])


def test_another_deployments_link_is_refused():
    with pytest.raises(LinkWrongError):
        read_link(b"j" * 32, make_link(KEY, PLACE))


@pytest.mark.parametrize(
    "inside", [[], ["a"], ["a", "b", "c", "d", ["x"]], ["a", "b", "c", "d", [True]], {"a": 1}, 7, "x"]
)
def test_what_is_signed_and_is_no_place_is_refused_too(inside):
    from chalicelib.signing import links

    payload = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode().rstrip("=")
    with pytest.raises(LinkWrongError):
        read_link(KEY, f"{payload}.{links._mac(KEY, payload)}")


@given(st.text(max_size=1200))
def test_any_text_is_a_link_or_refused(text):
    with pytest.raises(LinkWrongError):
        read_link(KEY, text)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.lists(st.integers(0, 10**6), max_size=5))
def test_any_place_comes_back(execution, part, path):
    place = ("main", execution, part, "step", tuple(path))
    link = make_link(KEY, place)
    if len(link) <= 1000:
        assert read_link(KEY, link) == place
