"""A stage's files, made from those of `dev`."""

import json
import shutil
from pathlib import Path

import pytest

from chalicelib.adapters.aws.names import FUNCTIONS, Names
from chalicelib.errors import SettingError
from chalicelib.flow.reading_steps import LONGEST_TIMEOUT
from chalicelib.wiring_aws import INVOCATION_SECONDS
from chalicelib.worker.course import MARGIN_SECONDS
from infra.stages import CONFIG, missing_files, policy_path

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".chalice").mkdir()
    for path in [ROOT / CONFIG, *(ROOT / policy_path(name, "dev") for name in FUNCTIONS)]:
        shutil.copy(path, tmp_path / ".chalice")
    return tmp_path


def test_the_committed_stage_lacks_nothing():
    assert missing_files(ROOT, "dev") == {}


def test_another_stage_gets_an_entry_and_a_policy_for_each_function(project):
    found = missing_files(project, "prod")
    assert set(found) == {CONFIG, *(policy_path(name, "prod") for name in FUNCTIONS)}
    stage = json.loads(found[CONFIG])["stages"]["prod"]
    assert stage["environment_variables"]["PENSTOCK_STAGE"] == "prod"
    assert stage["lambda_functions"]["api_handler"]["iam_policy_file"] == "policy-api-prod.json"
    assert stage["lambda_functions"]["worker"]["lambda_timeout"] == 300


def test_its_policies_name_no_other_stage(project):
    for path, text in missing_files(project, "prod").items():
        if path != CONFIG:
            assert "penstock-dev" not in text
            assert "penstock-prod" in text
            json.loads(text)


def test_the_other_stages_stay_as_they_are(project):
    before = json.loads((project / CONFIG).read_text())
    after = json.loads(missing_files(project, "prod")[CONFIG])
    after["stages"].pop("prod")
    assert after == before


def test_what_is_there_is_never_written_again(project):
    for path, text in missing_files(project, "prod").items():
        (project / path).write_text(text)
    own = project / policy_path("worker", "prod")
    own.write_text('{"Version": "2012-10-17", "Statement": []}')
    assert missing_files(project, "prod") == {}


def test_a_stage_from_before_there_was_a_function_gets_what_it_needs_and_keeps_its_own(project):
    for path, text in missing_files(project, "prod").items():
        (project / path).write_text(text)
    config = json.loads((project / CONFIG).read_text())
    functions = config["stages"]["prod"]["lambda_functions"]
    del functions["dead"], functions["sweep"]
    functions["worker"]["lambda_timeout"] = 400
    (project / CONFIG).write_text(json.dumps(config))
    (project / policy_path("sweep", "prod")).unlink()
    found = missing_files(project, "prod")
    assert set(found) == {CONFIG, policy_path("sweep", "prod")}
    made = json.loads(found[CONFIG])["stages"]["prod"]["lambda_functions"]
    assert made["sweep"] == {"iam_policy_file": "policy-sweep-prod.json", "lambda_timeout": 60}
    assert made["dead"]["iam_policy_file"] == "policy-dead-prod.json"
    assert made["worker"]["lambda_timeout"] == 400


def test_nothing_secret_and_no_architecture_stands_in_the_committed_file():
    text = (ROOT / CONFIG).read_text()
    assert "CREDENTIAL" not in text
    assert "ADMIN_KEY" not in text
    assert "lambda_architecture" not in text, "it depends on the interpreter: infra/vendor.py decides"


def test_the_gateway_answers_before_the_function_is_ended():
    config = json.loads((ROOT / CONFIG).read_text())
    assert config["lambda_timeout"] <= 29, "API Gateway ends a request after 29 s"
    assert config["autogen_policy"] is False
    assert config["api_gateway_stage"] == "live"


@pytest.mark.parametrize("stage", ["", "Dev", "my-stage", "1st", "a" * 21, "dev\n", "de v"])
def test_a_stage_that_cannot_be_part_of_a_name_is_refused(stage):
    with pytest.raises(SettingError, match="cannot be a stage"):
        Names.of(stage, "123456789012", "eu-central-1")


def test_names_follow_the_division_of_the_world():
    china = Names.of("dev", "123456789012", "cn-north-1")
    assert china.queue_url == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/penstock-dev-jobs"
    assert china.function_arn("tick") == "arn:aws-cn:lambda:cn-north-1:123456789012:function:penstock-dev-tick"
    assert Names.of("dev", "1", "us-gov-west-1").schedule_role.startswith("arn:aws-us-gov:iam::1:role/penstock-dev")


def test_the_worker_is_over_before_its_function_is():
    config = json.loads((ROOT / ".chalice/config.json").read_text())
    timeout = config["stages"]["dev"]["lambda_functions"]["worker"]["lambda_timeout"]
    assert timeout > INVOCATION_SECONDS
    assert config["stages"]["dev"]["lambda_functions"]["dead"]["lambda_timeout"] == timeout
    assert LONGEST_TIMEOUT.total_seconds() <= INVOCATION_SECONDS - MARGIN_SECONDS, "every attempt fits into one"
