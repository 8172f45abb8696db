"""What a deployment's resources are called: by convention from its stage, so that nothing is rendered or looked up.

`infra/stack.yaml` and the policies in `.chalice/` say the same names; `tests/infra` holds them together.
"""

import re
from typing import Final, NamedTuple

from chalicelib.errors import SettingError

STAGE: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
"""A stage's name goes into bucket and role names: lower case, short, and no dash that could blur where it ends."""

FUNCTIONS: Final = ("api", "worker", "tick", "dead", "sweep")
"""Chalice calls the function behind the routes `penstock-<stage>`, the others `penstock-<stage>-<name>`."""


class Names(NamedTuple):
    """One deployment, and what is in it."""

    stage: str
    account: str
    region: str

    @classmethod
    def of(cls, stage: str, account: str, region: str) -> "Names":
        """The names of a stage; raises SettingError for a stage that cannot be part of them."""
        if not STAGE.fullmatch(stage):
            raise SettingError(
                f"{stage[:40]!r} cannot be a stage. Take up to 20 lower-case letters and digits, a letter first."
            )
        return cls(stage, account, region)

    @property
    def prefix(self) -> str:
        """What every name begins with; the stack itself is called so."""
        return f"penstock-{self.stage}"

    @property
    def table(self) -> str:
        """The one table."""
        return f"{self.prefix}-state"

    @property
    def queue(self) -> str:
        """Durable intents."""
        return f"{self.prefix}-jobs"

    @property
    def dead_letters(self) -> str:
        """Messages that failed too often."""
        return f"{self.prefix}-jobs-dead"

    @property
    def unreadable(self) -> str:
        """Dead letters that are none of ours: nobody works them off."""
        return f"{self.prefix}-jobs-unreadable"

    @property
    def queue_url(self) -> str:
        """How SQS's own protocol names the queue."""
        return self._url_of(self.queue)

    @property
    def unreadable_url(self) -> str:
        """The same of the messages that nobody can read."""
        return self._url_of(self.unreadable)

    def _url_of(self, queue: str) -> str:
        return f"https://sqs.{self.region}.{self.domain}/{self.account}/{queue}"

    @property
    def bucket(self) -> str:
        """Bytes too large for a record; names of buckets are shared by the whole world, hence the account."""
        return f"{self.prefix}-blobs-{self.account}-{self.region}"

    @property
    def key_alias(self) -> str:
        """The key that table and bucket are encrypted with."""
        return f"alias/{self.prefix}"

    @property
    def schedule_group(self) -> str:
        """The group of every schedule that a flow's trigger makes."""
        return self.prefix

    @property
    def schedule_role(self) -> str:
        """The ARN of the role in which EventBridge Scheduler invokes the tick function."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.prefix}-schedules-{self.region}"

    def function(self, name: str) -> str:
        """A function's name, of those in `FUNCTIONS`."""
        return self.prefix if name == "api" else f"{self.prefix}-{name}"

    def function_arn(self, name: str) -> str:
        """A function's ARN."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.function(name)}"

    @property
    def partition(self) -> str:
        """AWS's division of the world that the region is in, as ARNs begin."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def domain(self) -> str:
        """Where services answer."""
        return "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
