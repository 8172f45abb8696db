"""`penstock check`, `plan` and `fmt`."""

import json

import pytest

from tests.cli.calling import BROKEN, GOOD, penstock, write


def test_check_says_every_mistake_of_every_file_at_once(tmp_path):
    flows = write(tmp_path / "flows", broken=BROKEN, good=GOOD, text="flow: [")
    said = penstock("check", "--flows", flows)
    assert said.code == 2
    lines = said.out.splitlines()
    broken = [line for line in lines if line.startswith(f"{flows / 'broken.yaml'}:")]
    assert {line.split(":")[1] for line in broken} == {"3", "5"}
    assert all("  ->  " in line for line in broken)
    assert "did you mean" in said.out.lower()
    assert f"{flows / 'good.yaml'}: good" in lines
    assert any(line.startswith(f"{flows / 'text.yaml'}:1:") for line in lines)
    assert said.err == "3 files checked, 2 with mistakes\n"


def test_check_as_json_says_the_same_as_data(tmp_path):
    flows = write(tmp_path / "flows", broken=BROKEN, good=GOOD)
    said = penstock("check", "--flows", flows, "--json")
    assert (said.code, said.err) == (2, "")
    broken, good = said.json["files"]
    assert broken["file"] == str(flows / "broken.yaml")
    assert {"where", "line", "column", "what", "do"} == set(broken["problems"][0])
    assert good == {"file": str(flows / "good.yaml"), "flow": "greet", "error": None, "problems": [], "warnings": []}


def test_a_flow_with_the_longest_name_there_may_be_can_be_called(tmp_path):
    name = "a" * 64
    text = "flow: {0}\nsteps:\n  again: {{uses: call, with: {{flow: {0}}}}}\n"
    flows = write(tmp_path / "flows", longest=text.format(name))
    said = penstock("check", flows)
    assert (said.code, said.out) == (0, f"{flows / 'longest.yaml'}: good\n")
    write(flows, longest=text.format(name + "a"))
    assert penstock("check", flows).code == 2


def test_check_of_good_files_ends_with_0(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    assert penstock("check", flows / "good.yaml").code == 0
    assert penstock("check", flows).out == f"{flows / 'good.yaml'}: good\n"
    assert penstock("check", PENSTOCK_FLOWS=str(flows)).code == 0


def test_check_shows_warnings_and_passes(tmp_path):
    text = GOOD.replace("steps:\n", "steps:\n  other: {uses: set, if: \"${ inputs.name != 'x' }\", with: {a: 1}}\n")
    flows = write(tmp_path / "flows", warned=text)
    said = penstock("check", "--flows", flows)
    assert said.code == 0
    assert "(a warning)" in said.out
    assert "1 warning" in said.err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("flow.txt", b"flow: a", "end in .yaml, .yml or .json"),
        ("flow.yaml", b"flow: caf\xe9", "UTF-8"),
        ("flow.yaml", b"", ""),
        ("flow.yaml", b"- a\n- b\n", ""),
        ("flow.yaml", b"a: &x 1\nb: *x\n", ""),
        ("flow.yaml", b"flow: a\nflow: b\n", ""),
        ("flow.json", b'{"flow": "a", "steps": ' + b"[" * 50_000, ""),
        ("flow.json", b'{"flow": "\\ud800"}', ""),
        ("flow.yaml", b"\x00\x01\x02", ""),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_place_and_no_traceback(name, content, told, tmp_path):
    file = tmp_path / name
    file.write_bytes(content)
    said = penstock("check", file)
    assert said.code == 2
    assert str(file) in said.out
    assert told in said.out


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    for command in ("check", "plan", "fmt", "run"):
        said = penstock(command, tmp_path / "nothing.yaml")
        assert said.code == 2
        assert "nothing.yaml cannot be read: No such file or directory." in said.out + said.err
    said = penstock("check", "--flows", tmp_path / "nowhere")
    assert (said.code, said.out) == (2, "")
    assert "There is no folder" in said.err


def test_plan_shows_what_starts_at_once_and_what_follows(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD.replace("output:", "  then: {uses: set, after: say}\noutput:"))
    by_name = penstock("plan", "greet", "--flows", flows)
    by_file = penstock("plan", flows / "good.yaml")
    assert (by_name.code, by_name.err) == (0, "")
    assert by_name.out == by_file.out
    assert by_name.out.index("at once") < by_name.out.index("say") < by_name.out.index("then")
    data = penstock("plan", "greet", "--flows", flows, "--json").json
    assert [[step["id"] for step in stage] for stage in data["stages"]] == [["say"], ["then"]]


def test_plan_of_a_flow_with_mistakes_says_them(tmp_path):
    flows = write(tmp_path / "flows", broken=BROKEN)
    said = penstock("plan", "broken", "--flows", flows)
    assert (said.code, said.out) == (2, "")
    assert f"{flows / 'broken.yaml'}:3:" in said.err
    as_json = penstock("plan", "broken", "--flows", flows, "--json")
    assert (as_json.code, as_json.out) == (2, "")
    assert json.loads(as_json.err)["code"] == "flow_check"
    missing = penstock("plan", "other", "--flows", flows)
    assert missing.code == 2
    assert "There are: broken." in missing.err


UGLY = """\
# kept
flow: greet   # kept too
steps:
  say:
    uses: set
    with:
      text: Hello ${ inputs.name }
inputs: {name: {type: string}}
"""


def test_fmt_writes_what_it_teaches_and_keeps_comments(tmp_path):
    flows = write(tmp_path / "flows", ugly=UGLY)
    file = flows / "ugly.yaml"
    before = file.read_text()
    checked = penstock("fmt", "--check", "--flows", flows)
    assert (checked.code, checked.out) == (2, f"{file}\n")
    assert file.read_text() == before
    done = penstock("fmt", "--flows", flows)
    assert (done.code, done.out, done.err) == (0, f"{file}\n", "1 of 1 files changed\n")
    assert '"Hello ${ inputs.name }"' in file.read_text()
    assert "# kept\n" in file.read_text()
    assert "# kept too" in file.read_text()
    assert penstock("fmt", "--check", "--flows", flows).code == 0
    assert penstock("fmt", "--flows", flows, "--json").json == {"changed": [], "checked": 1}
    assert [path.name for path in flows.iterdir()] == ["ugly.yaml"]


def test_fmt_leaves_a_file_it_cannot_read_and_does_the_others(tmp_path):
    flows = write(tmp_path / "flows", bad="flow: [", good=GOOD + "\n\n\n")
    said = penstock("fmt", "--flows", flows)
    assert said.code == 2
    assert f"{flows / 'bad.yaml'}:1:" in said.err
    assert (flows / "bad.yaml").read_text() == "flow: ["
    assert (flows / "good.yaml").read_text() == GOOD
