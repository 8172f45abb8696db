"""Deploys a stage and takes it away again: the stack, what Chalice makes, and what Chalice has no setting for.

Like Chalice's own deployer it plans first and acts afterwards. The plan says what will be done without doing it; what
follows Chalice depends on what Chalice made (the gateway's address), so those steps are planned as what they do, and
look the address up when their turn comes. Every step may be repeated, and a deployment that broke off is completed by
the next one.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import FUNCTIONS, Names
from chalicelib.adapters.aws.settings import LINK_KEY_BYTES, settings_update
from infra import stages, vendor
from infra.deploy_hooks import DeployError
from infra.provision import Instruction, Provisioner

LOG_DAYS = 30
_KEPT_STATE = "deployed.json"
_IN_CHAINS = ("api", "worker", "dead")
"""What sends messages on its way from a message, or may be called by what a message started."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a deployment does: a sentence, and the doing."""

    sentence: str
    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands after a deployment."""

    stage: str
    url: str
    """Where it is reached, without a slash at the end; empty after a plan."""
    steps: tuple[str, ...]
    """What was done, or would be."""


class Deployment:
    """One stage of one project in one account."""

    def __init__(self, stage: str, project: Path, environment: Mapping[str, str], say: Say) -> None:
        """Look up whose account it is.

        Args:
            stage: such as `dev`; raises SettingError for a name that no resource can carry.
            project: the folder with app.py.
            environment: the caller's, whole: Chalice gets it, and the secrets to pass on stand there. boto3 reads its
                keys and region from the process's own.
            say: takes a line for a person.
        """
        import boto3

        self._session: Any = boto3.session.Session()
        if not self._session.region_name:
            raise DeployError("No AWS region. Set AWS_DEFAULT_REGION, such as eu-central-1.")
        account: str = self._session.client("sts").get_caller_identity()["Account"]
        self.names = Names.of(stage, account, self._session.region_name)
        self._project = project
        self._environment = environment
        self._say = say
        self._provisioner = Provisioner(self._session, self.names, project)

    def plan(self) -> list[Step]:
        """Everything a deployment does, in order."""
        names, project = self.names, self._project
        steps: list[Step] = []
        for path, text in stages.missing_files(project, names.stage).items():
            steps.append(Step(f"write {path}", lambda path=path, text=text: _write(project / path, text)))
        steps += [self._provisioning(each) for each in self._provisioner.plan()]
        target = vendor.target_of(self._environment)
        if vendor.is_stale(project, target):
            sentence = f"build vendor/ for Python {target.python} on {target.machine}"
            steps.append(Step(sentence, lambda: vendor.build(project, target)))
        verb = "update" if self._state_path.is_file() else "create"
        functions = ", ".join(names.function(name) for name in FUNCTIONS)
        steps += [
            Step("fetch what Chalice remembers of the last deployment", self._fetch_state),
            # Before there is anything to log: the functions themselves may make no log group.
            Step(f"keep the functions' logs for {LOG_DAYS} days", self._keep_logs),
            Step(
                f"chalice deploy: {verb} {functions}, their roles, the gateway, the mappings, the sweep's rule",
                self._chalice,
            ),
            Step("let the functions and the queue call each other for as long as a flow needs", self._allow_recursion),
            Step("write down where the deployment is reached, and a key for its links", self._record_settings),
            Step("keep what Chalice remembers in the bucket", self._keep_state),
        ]
        return steps

    def plan_removal(self) -> list[Step]:
        """Everything that taking it away does, in order."""
        functions = ", ".join(self.names.function(name) for name in FUNCTIONS)
        steps = [
            Step("fetch what Chalice remembers of the last deployment", self._fetch_state),
            Step(
                f"chalice delete: {functions}, their roles, the gateway, the mappings, the sweep's rule",
                self._chalice_delete,
            ),
        ]
        steps += [self._provisioning(each) for each in self._provisioner.plan_removal()]
        steps.append(Step("delete the functions' logs", self._delete_logs))
        return steps

    def carry_out(self, steps: Sequence[Step], *, plan_only: bool) -> None:
        """Say each step, then do it unless it is only planned."""
        for step in steps:
            self._say(step.sentence)
            if not plan_only:
                step.do()

    @property
    def url(self) -> str:
        """Where the stage is reached, by what Chalice wrote down; raises DeployError before it did."""
        for resource in self._state()["resources"]:
            if resource["resource_type"] == "rest_api":
                return str(resource["rest_api_url"]).rstrip("/")
        raise DeployError("Chalice wrote down no REST API. Deploy again.")

    @property
    def _state_path(self) -> Path:
        return self._project / ".chalice" / "deployed" / f"{self.names.stage}.json"

    def _state(self) -> dict[str, Any]:
        if not self._state_path.is_file():
            raise DeployError(f"{self._state_path} is missing. Deploy again.")
        return json.loads(self._state_path.read_text())

    def _provisioning(self, instruction: Instruction) -> Step:
        return Step(str(instruction), lambda: self._provisioner.execute(instruction))

    def _fetch_state(self) -> None:
        """Without it Chalice would make a second gateway beside the first (aws/chalice issue 1340)."""
        if self._state_path.is_file():
            return
        buckets = self._session.client("s3")
        try:
            found = buckets.get_object(Bucket=self.names.bucket, Key=_KEPT_STATE)["Body"].read()
        except (buckets.exceptions.NoSuchKey, buckets.exceptions.NoSuchBucket):
            return  # the first deployment
        _write(self._state_path, found.decode())

    def _keep_state(self) -> None:
        self._session.client("s3").put_object(
            Bucket=self.names.bucket, Key=_KEPT_STATE, Body=self._state_path.read_bytes()
        )

    def _chalice(self) -> None:
        self._call_chalice("deploy")

    def _chalice_delete(self) -> None:
        if self._state_path.is_file():
            self._call_chalice("delete")
            self._state_path.unlink()

    def _call_chalice(self, verb: str) -> None:
        # In a process of its own: it changes the environment, the module search path and its own classes.
        command = [sys.executable, "-c", "from chalice.cli import main; main()", verb, "--stage", self.names.stage]
        done = subprocess.run(
            command,
            cwd=self._project,
            env=dict(self._environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            self._say(f"  {line}")
        if done.returncode != 0:
            raise DeployError(f"`chalice {verb} --stage {self.names.stage}` failed; what it said stands above.")

    def _allow_recursion(self) -> None:
        """Lambda stops a chain of a function and a queue after 16 hops, unless it is told that the chain is meant."""
        functions = self._session.client("lambda")
        for name in _IN_CHAINS:
            functions.put_function_recursion_config(FunctionName=self.names.function(name), RecursiveLoop="Allow")

    def _keep_logs(self) -> None:
        logs = self._session.client("logs")
        for group in self._log_groups():
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
            logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_DAYS)

    def _delete_logs(self) -> None:
        logs = self._session.client("logs")
        for group in self._log_groups():
            with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
                logs.delete_log_group(logGroupName=group)

    def _log_groups(self) -> list[str]:
        return [f"/aws/lambda/{self.names.function(name)}" for name in FUNCTIONS]

    def _record_settings(self) -> None:
        url = self._environment.get("PENSTOCK_URL") or self.url
        update = settings_update(url.rstrip("/"), secrets.token_bytes(LINK_KEY_BYTES))
        self._session.client("dynamodb").update_item(TableName=self.names.table, **update)


def deploy(
    stage: str,
    *,
    project: Path,
    plan_only: bool = False,
    environment: Mapping[str, str] | None = None,
    say: Say = print,
) -> Deployed:
    """Deploy a stage, or with `plan_only` say what that would do.

    Raises DeployError, ProvisionError, VendorError and SettingError, each with what to do; botocore's own errors where
    AWS cannot be asked.
    """
    deployment = Deployment(stage, project, os.environ if environment is None else environment, say)
    steps = deployment.plan()
    deployment.carry_out(steps, plan_only=plan_only)
    return Deployed(stage, "" if plan_only else deployment.url, tuple(step.sentence for step in steps))


def destroy(
    stage: str,
    *,
    project: Path,
    plan_only: bool = False,
    environment: Mapping[str, str] | None = None,
    say: Say = print,
) -> Deployed:
    """Take a stage away, with everything in it, or with `plan_only` say what that would do; raises as `deploy` does."""
    deployment = Deployment(stage, project, os.environ if environment is None else environment, say)
    steps = deployment.plan_removal()
    deployment.carry_out(steps, plan_only=plan_only)
    return Deployed(stage, "", tuple(step.sentence for step in steps))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
