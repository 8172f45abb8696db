"""The folder of flow files."""

import pytest

from chalicelib.errors import FlowTextError, UsageError
from chalicelib.local.folder import find_flow, flow_files, flow_files_of, is_flow_file, name_of, read_flow


def folder_of(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_flows_are_the_files_that_are_no_test_no_layout_no_input_and_not_hidden(tmp_path):
    folder = folder_of(
        tmp_path,
        b_yaml="flow: b",
        a_yml="flow: a",
        c_json="{}",
        b_test_yaml="",
        b_layout_json="",
        b_input_json="",
        notes_md="",
        _hidden_yaml="",
        sub__d_yaml="flow: d",
        _git__e_yaml="",
    )
    assert [str(path.relative_to(folder)) for path in flow_files(folder)] == ["a.yml", "b.yaml", "c.json", "sub/d.yaml"]
    assert not is_flow_file(folder / "b.yaml.swp")
    assert not is_flow_file(folder / "b.yaml~")


def test_no_folder_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="There is no folder"):
        flow_files(tmp_path / "none")


def test_named_files_are_taken_as_they_are_and_folders_opened(tmp_path):
    folder = folder_of(tmp_path, a_yaml="flow: a", sub__b_yaml="flow: b")
    sub, a = folder / "sub", folder / "a.yaml"
    assert flow_files_of([sub, a, a], folder) == [sub / "b.yaml", a]
    assert flow_files_of([], folder) == [a, sub / "b.yaml"]
    assert flow_files_of([folder / "any.txt"], folder) == [folder / "any.txt"]


def test_a_flow_is_found_by_its_name_whatever_its_file_is_called(tmp_path):
    folder = folder_of(tmp_path, one_yaml='# first\nflow: "orders"  # here\n', two_json='{"flow": "bills"}', x_json="{")
    assert find_flow("orders", folder) == folder / "one.yaml"
    assert find_flow("bills", folder) == folder / "two.json"
    with pytest.raises(UsageError, match="There are: bills, orders"):
        find_flow("order", folder)


def test_a_file_without_a_name_goes_by_its_own(tmp_path):
    folder = folder_of(tmp_path, a_yaml="steps: {}")
    assert name_of(read_flow(folder / "a.yaml"), folder / "a.yaml") == "a"
    with pytest.raises(UsageError, match="Is a directory"):
        read_flow(folder)
    (folder / "b.yaml").write_text("a: [")
    with pytest.raises(FlowTextError) as caught:
        read_flow(folder / "b.yaml")
    assert caught.value.problems[0].where == str(folder / "b.yaml")
