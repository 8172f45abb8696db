"""`penstock deploy` and `destroy`: a stage in your own AWS account, by the program in `infra/`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say, say_json
from chalicelib.errors import NotSentError, ServiceError, SettingError

PROJECT = Path(__file__).parents[2]
"""The clone: what is deployed is the code that runs here."""

Stage: TypeAlias = Annotated[str, typer.Option("--stage", help="Such as dev or prod; each is apart from the others.")]
OnlyPlan: TypeAlias = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]


def deploy(stage: Stage, plan: OnlyPlan = False, as_json: AsJson = False) -> None:
    """Deploy a stage: what AWS must provide, then `chalice deploy`, then the settings Chalice has none for."""
    told = say if plan and not as_json else note
    done = _carry_out("deploy", stage, plan_only=plan, told=told)
    if as_json:
        say_json({"stage": done.stage, "url": done.url or None, "steps": list(done.steps)})
    elif done.url:
        say(done.url)
        note(f"Publish flows to it: penstock publish --to {done.url}")


def destroy(
    stage: Stage,
    plan: OnlyPlan = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a stage away, with every flow and every execution in it. Asks first where there is a terminal."""
    if not plan and not yes and sys.stdin.isatty():
        typer.confirm(f"Take the stage {stage} away, with all its flows and executions?", abort=True, err=True)
    told = say if plan and not as_json else note
    done = _carry_out("destroy", stage, plan_only=plan, told=told)
    if as_json:
        say_json({"stage": done.stage, "steps": list(done.steps)})
    elif not plan:
        say(f"{done.stage}\tgone")


def _carry_out(verb: str, stage: str, *, plan_only: bool, told: Callable[[str], None]) -> Any:
    """Do it by `infra`, which is no part of the package: it is there in a clone alone."""
    if not (PROJECT / "infra" / "deploy.py").is_file():
        raise SettingError("This works in a clone of Penstock's repository: what is deployed is the code there.")
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    # Imported late, as boto3 itself.
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

    from infra import deploy as deployment

    act = deployment.deploy if verb == "deploy" else deployment.destroy
    try:
        return act(stage, project=PROJECT, plan_only=plan_only, environment=os.environ, say=told)
    except ClientError as error:
        raise ServiceError(f"AWS refused: {error}") from error
    except BotoCoreError as error:
        has_left = isinstance(error, ConnectionClosedError | ReadTimeoutError)
        raise (ServiceError if has_left else NotSentError)(
            f"AWS cannot be asked: {str(error).rstrip('.')}. "
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
