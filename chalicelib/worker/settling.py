"""A step is settled: its fact is known here, and what it makes ready follows."""

from dataclasses import replace

from chalicelib.engine.facts import How
from chalicelib.worker.ledger import Finished
from chalicelib.worker.stage import Stage


async def settle(stage: Stage, each: Finished, *, urgent: bool = False) -> None:
    """A step is settled here: others may be ready now."""
    step, done = each.step, each.done
    if stage.ledger is None:
        # A turn that keeps nothing has no record to order its facts: they count as they come.
        done = replace(done, order=len(stage.done))
    else:
        stage.pending.append(each)
        if step.uses == "respond" and done.how is How.SUCCEEDED:
            stage.answers.append((each.name, each.entry.value))
        stage.urgent |= urgent or step.feeds_count or bool(stage.answers)
    stage.done[step.id] = done
    stage.values.entries[each.name] = each.entry
    stage.board.settle(step.id, done)
    stage.ready.extend(stage.board.take_ready())
