"""A stage's files under `.chalice/`: an entry in config.json and a policy for each function, made from those of `dev`.

They are written once and then belong to whoever deploys: what is there is never written again. A stage from before
there was a function gets what that function needs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import FUNCTIONS

CONFIG = ".chalice/config.json"
PATTERN = "dev"
"""The stage that others are made from."""


def policy_path(function: str, stage: str) -> str:
    """Where a function's policy lies, from the project's folder."""
    return f".chalice/policy-{function}-{stage}.json"


def missing_files(project: Path, stage: str) -> Mapping[str, str]:
    """What a stage lacks, as file contents by path from the project's folder; empty where nothing is missing."""
    found: dict[str, str] = {}
    for function in FUNCTIONS:
        path = policy_path(function, stage)
        if not (project / path).exists():
            found[path] = for_stage((project / policy_path(function, PATTERN)).read_text(), stage)
    config: dict[str, Any] = json.loads((project / CONFIG).read_text())
    pattern: dict[str, Any] = json.loads(for_stage(json.dumps(config["stages"][PATTERN]), stage))
    entry: dict[str, Any] | None = config["stages"].get(stage)
    if entry is None:
        config["stages"][stage] = pattern
        found[CONFIG] = json.dumps(config, indent=2) + "\n"
        return found
    functions: dict[str, Any] = entry.setdefault("lambda_functions", {})
    missing = {name: each for name, each in pattern["lambda_functions"].items() if name not in functions}
    if missing:
        functions |= missing
        found[CONFIG] = json.dumps(config, indent=2) + "\n"
    return found


def for_stage(text: str, stage: str) -> str:
    """A file of the pattern stage, for another one: its name stands in resources, file names and PENSTOCK_STAGE."""
    return (
        text.replace(f"penstock-{PATTERN}", f"penstock-{stage}")
        .replace(f"-{PATTERN}.json", f"-{stage}.json")
        .replace(f'"PENSTOCK_STAGE": "{PATTERN}"', f'"PENSTOCK_STAGE": "{stage}"')
    )
