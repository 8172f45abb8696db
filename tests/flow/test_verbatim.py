"""Parameters that hold a program: what another language writes with `${` stays as it is."""

import pytest

from chalicelib.catalogue import entries
from chalicelib.flow.check import check
from chalicelib.flow.formatting import format_yaml
from chalicelib.flow.planning import make_plan
from chalicelib.flow.templates import Literal, Object, Whole, expressions
from chalicelib.flow.text import read_yaml

FLOW = """\
flow: greet
triggers:
  by_hand: {uses: manual}
steps:
  name: {uses: set, with: {value: "${ inputs.name }"}}
  greet:
    uses: code.javascript
    with:
      code: |-
        const open = `${input.name} ${steps.nowhere} ${`;
        return `$${input.price}` + "}${ # nothing";
      input: {name: "${ steps.name }"}
"""


def read(text):
    return read_yaml(text, "greet.yaml")


def problems(text):
    return [(one.what, one.do) for one in check(read(text), entries()).problems]


def test_a_program_is_no_expression_and_is_not_read_as_one():
    document = read(FLOW)
    assert check(document, entries()).problems == ()
    step = make_plan(document.data, entries()).by_id["greet"]
    assert isinstance(step.parameters, Object)
    fields = dict(step.parameters.fields)
    assert fields["code"] == Literal(document.data["steps"]["greet"]["with"]["code"])
    assert [type(one) for one in (fields["input"], dict(fields["input"].fields)["name"])] == [Object, Whole]
    assert [one.text.strip() for one in expressions(step.parameters)] == ["steps.name"]


def test_names_in_a_program_are_no_needs():
    text = FLOW.replace("${ steps.name }", "Ada")
    step = make_plan(read(text).data, entries()).by_id["greet"]
    assert (step.needs, step.mentions) == ((), ())


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ('"${ steps.name }"', "`code` takes no expression."),
        ('""', "`code` is not empty"),
        ("[1]", "`code` is a text, not a list."),
        ("{a: 1}", "`code` is a text, not a map."),
    ],
)
def test_what_is_no_program_is_refused(code, what):
    text = "flow: a\ntriggers: {by_hand: {uses: manual}}\nsteps:\n  name: {uses: set, with: {value: 1}}\n"
    found = problems(f"{text}  b: {{uses: code.javascript, with: {{code: {code}}}}}\n")
    assert len(found) == 1
    assert found[0][0].startswith(what)


def test_a_program_beyond_its_length_is_refused_though_it_holds_an_opening():
    text = "flow: a\ntriggers: {by_hand: {uses: manual}}\nsteps:\n"
    long = "`${x}`;" * 20_000
    assert (
        "at most 100000 characters"
        in problems(f"{text}  b: {{uses: code.javascript, with: {{code: '{long}'}}}}\n")[0][0]
    )


def test_formatting_leaves_a_program_alone():
    assert read(format_yaml(FLOW, "greet.yaml")).data == read(FLOW).data
