"""The check as a whole: the flows that must pass, the likeliest mistakes word by word, and no exception for any input."""

import json

import pytest

from chalicelib.errors import FlowCheckError, ParameterError
from chalicelib.flow.check import check, refuse
from chalicelib.flow.text import Document, read_yaml
from tests.flow.catalogue import CATALOGUE, FLOWS, TEXT, checked, document, entry, order_intake, problems

INTAKE = order_intake()


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_reference_flows_have_no_problem_and_no_warning(path):
    report = check(read_yaml(path.read_text(encoding="utf-8"), path.name), CATALOGUE)
    assert report.problems == ()
    assert report.warnings == ()
    assert report.is_clean


def test_a_step_that_does_not_exist_is_named_with_what_was_meant():
    assert problems(INTAKE.replace("steps.charge.id }, reserved", "steps.chrage.id }, reserved")) == [
        (
            "order.yaml:44:20  There is no step `chrage`. Did you mean `charge`?  ->  "
            "Steps here: charge, reserve, size, approve, confirm, refund."
        )
    ]


def test_a_bare_name_of_a_step_with_several_ports_is_refused():
    assert problems(INTAKE.replace("{any: [size.else, approve.approved]}", "approve")) == [
        (
            "order.yaml:40:12  `approve` can end as approved, rejected or expired.  ->  "
            "Name one: `after: approve.approved`; `approve.settled` if any will do."
        )
    ]


def test_needs_that_exclude_each_other_are_named_with_what_lies_behind_them():
    assert problems(INTAKE.replace("{any: [size.else, approve.approved]}", "[size.else, approve.approved]")) == [
        (
            "order.yaml:40:12  `confirm` can never run: `size.else` and `approve.approved` (behind `size.large`) exclude each "
            "other.  ->  Write after: {any: [size.else, approve.approved]}."
        )
    ]


def test_a_mention_of_an_alternative_without_a_way_out_is_refused():
    assert problems(INTAKE.replace('steps.approve.by ?? "nobody: it is small"', "steps.approve.by")) == [
        (
            "order.yaml:45:24  `confirm` may run without `approve` (through size.else), but uses `steps.approve.by`.  ->  "
            'Give it a way out: ${ steps.approve.by ?? "nobody" }.'
        )
    ]


def test_a_condition_that_is_text_is_refused_with_the_expression_it_should_be():
    text = "steps:\n  a: {uses: set}\n  b: {uses: set, if: steps.a.ok}\n"
    assert problems(text) == [
        'order.yaml:4:22  `if` needs an expression; this is the text "steps.a.ok".  ->  "${ steps.a.ok }".'
    ]


def test_rows_in_an_untyped_place_must_say_how_many_they_are():
    text = 'steps:\n  a: {uses: set, with: {rows: "${ inputs.lines[quantity > 0] }"}}\n'
    assert problems(text) == [
        (
            "order.yaml:3:35  This is nothing, one object or a list, depending on how many rows match.  ->  "
            "Write ${ [ ... ] } for a list, or ${ ...[0] } for the first."
        )
    ]
    for better in ("[inputs.lines[quantity > 0]]", "inputs.lines[quantity > 0][0]"):
        assert problems(text.replace("inputs.lines[quantity > 0]", better)) == []


def test_rows_are_fine_where_a_list_is_wanted_and_inside_text():
    text = 'steps:\n  a: {uses: data.sort, with: {rows: "${ inputs.lines[quantity > 0] }"}}\n'
    assert problems(text) == []
    assert problems('steps:\n  a: {uses: set, with: {t: "rows: ${ inputs.lines[quantity > 0] }"}}\n') == []


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("inputs.a == 1", "`==` is not JSONata."),
        ("HOME", "Unknown name `HOME`."),
        ("inputs.content-type", "`content-type` means `content` minus `type`."),
        ("steps", "`steps` alone is every step at once."),
    ],
)
def test_a_mistake_in_an_expression_stands_at_its_place(expression, sentence):
    text = f'steps:\n  a: {{uses: set, with: {{v: "say ${{ {expression} }}"}}}}\n'
    (problem,) = checked(text).problems
    assert sentence in problem.what
    assert (problem.line, problem.do != "") == (3, True)
    assert 32 <= problem.column < 60


def test_an_expression_that_jsonata_cannot_compile_is_refused():
    (problem,) = checked('steps:\n  a: {uses: set, with: {v: "${ (1 }"}}\n').problems
    assert problem.line == 3
    assert problem.do


def test_an_expression_that_is_not_closed_is_refused_where_it_opens():
    (problem,) = checked('steps:\n  a: {uses: set, with: {v: "x ${ inputs.a"}}\n').problems
    assert (problem.what, problem.column) == ("`${` is not closed.", 31)


def test_everything_is_said_at_once_and_in_the_order_of_the_file():
    report = checked(
        "steps:\n"
        "  a: {uses: http.reqest, wiht: {}, timeout: 20}\n"
        "  my-step: {uses: set}\n"
        "  b: {uses: set, after: [cc, d.error]}\n"
        "  d: {uses: set, on_error: continue}\n"
        "  e: {uses: set, after: f}\n"
        "  f: {uses: set, after: e}\n"
        "  g: {uses: switch, with: {cases: {yes: '${ 1 = 1 }'}}}\n"
        "  h: {uses: set, after: [g.yes, g.else]}\n"
        'output: "${ steps.nn }"\n'
    )
    assert [(one.line, one.what) for one in report.problems] == [
        (3, "There is no node `http.reqest`. Did you mean `http.request`?"),
        (3, "A step has no key `wiht`. Did you mean `with`?"),
        (3, "`timeout` is a duration, not 20."),
        (4, "`my-step` cannot name a step: in an expression a dash is a minus."),
        (5, "There is no step `cc`."),
        (5, "`d` has `on_error`, so its failure never takes the `error` port."),
        (7, "`e` waits for `f`, which waits for `e`: a circle."),
        (11, "There is no step `nn`."),
    ]
    assert all(one.do for one in report.problems)


def test_what_can_never_run_is_also_said_beside_other_mistakes():
    found = problems(
        "steps:\n"
        "  a: {uses: set, timeout: 20}\n"
        "  g: {uses: switch, with: {cases: {yes: '${ 1 = 1 }'}}}\n"
        "  h: {uses: set, after: [g.yes, g.else]}\n"
    )
    assert len(found) == 2
    assert "`h` can never run: `g.yes` and `g.else` exclude each other." in found[1]


def test_a_step_of_an_unknown_node_brings_no_further_mistakes_about_its_ports():
    found = problems(
        "steps:\n"
        "  a: {uses: aproval, with: {ask: x}}\n"
        "  b: {uses: set, after: a.approved}\n"
        "  c: {uses: set, after: a.rejected}\n"
    )
    assert len(found) == 1
    assert "There is no node `aproval`. Did you mean `approval`?" in found[0]


def test_the_places_of_an_unknown_node_are_not_judged():
    (problem,) = problems('steps:\n  a: {uses: data.sorted, with: {rows: "${ inputs.lines[a = 1] }"}}\n')
    assert "There is no node `data.sorted`. Did you mean `data.sort`?" in problem


def test_a_node_may_be_named_as_it_once_was():
    assert problems("steps:\n  a: {uses: data.order, with: {rows: [1]}}\n") == []


def test_what_is_not_built_is_refused_by_name():
    catalogue = {
        "dream": entry("control", {}, not_built={"*": "dreaming cannot be done yet"}),
        "half": entry("control", {"now": TEXT, "later": TEXT}, not_built={"later": "this cannot be done yet"}),
    }

    def said(text: str) -> list[str]:
        return [str(problem) for problem in check(document(text), catalogue).problems]

    (whole,) = said("steps:\n  a: {uses: dream}\n")
    assert "`dream` is not built yet.  ->  Dreaming cannot be done yet." in whole
    (part,) = said("steps:\n  a: {uses: half, with: {now: x, later: y}}\n")
    assert "`later` of `half` is not built yet.  ->  This cannot be done yet." in part
    assert said("steps:\n  a: {uses: half, with: {now: x}}\n") == []


def test_what_a_node_refuses_itself_is_reported_too_where_nothing_is_left_to_evaluate():
    def build(uses, parameters):
        if parameters.get("cron") == "never":
            raise ParameterError("with.cron: is no cron expression")

    text = "triggers:\n  a: {uses: schedule, with: {cron: never}}\nsteps:\n  b: {uses: set}\n"
    (problem,) = check(document(text), CATALOGUE, build=build).problems
    assert (problem.line, problem.what) == (3, "`cron` of `schedule` is no cron expression.")
    assert problem.column == text.splitlines()[1].index("never") + 1
    assert check(document(text), CATALOGUE).problems == ()
    unknown = 'steps:\n  b: {uses: set, with: {cron: never, v: "${ inputs.a }"}}\n'
    assert check(document(unknown), CATALOGUE, build=build).problems == ()


def test_a_report_with_problems_raises_and_a_clean_one_does_not():
    with pytest.raises(FlowCheckError, match=r"order\.yaml has 1 mistake\.") as caught:
        refuse(checked("steps:\n  a: {uses: nothing}\n"), "order.yaml")
    assert len(caught.value.problems) == 1
    refuse(checked("steps:\n  a: {uses: set}\n"), "order.yaml")


def test_comparing_with_unequal_is_a_warning_only():
    report = checked('steps:\n  a: {uses: set, if: "${ inputs.state != 1 }"}\n')
    assert report.problems == ()
    assert [one.what for one in report.warnings] == ["`!=` is false when the value is missing."]


# Any input --------------------------------------------------------------------------------------------------------------


def test_the_check_reads_json_files_alike():
    data = document(INTAKE).data
    assert check(Document("x.json", json.loads(json.dumps(data)), {}, {}, ""), CATALOGUE).problems == ()
