"""What a flow waits to be told of."""

import pytest

from chalicelib.flow.listening import event_of, flows_heard, listens_of
from tests.flow.catalogue import planned

STEP = "steps:\n  s: {uses: set}\n"


@pytest.mark.parametrize(
    ("triggers", "events"),
    [
        ("{t: {uses: manual}}", ()),
        ("{t: {uses: error}}", ("error",)),
        ("{t: {uses: error, with: {flows: a}}}", ("error:a",)),
        ("{t: {uses: error, with: {flows: [a, b-c, a]}}}", ("error:a", "error:b-c")),
        ("{t: {uses: error, with: {flows: null}}}", ("error",)),
        (
            "{t: {uses: error, with: {flows: [a, b]}}, u: {uses: error, with: {flows: b}}, v: {uses: error}}",
            ("error:a", "error:b", "error"),
        ),
    ],
)
def test_a_flow_listens_to_the_failures_that_its_error_triggers_name(triggers: str, events: tuple[str, ...]):
    assert listens_of(planned(f"triggers: {triggers}\n{STEP}")) == events


def test_a_flow_without_triggers_listens_to_nothing():
    assert listens_of(planned(STEP)) == ()


def test_a_flow_s_failure_is_the_event_that_those_hear_who_named_it():
    assert event_of("a") in listens_of(planned(f"triggers: {{t: {{uses: error, with: {{flows: a}}}}}}\n{STEP}"))
    assert flows_heard({"flows": ["a", 5, "a"]}) == ("a",)
    assert flows_heard({}) == ()
