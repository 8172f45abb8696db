"""Seeds that found something, each with what it found: they stay quiet from then on.

A seed stands for a schedule only as long as the flows, the faults and their order are drawn as they are now: whoever
changes how they are drawn keeps these as further seeds, and the mutations as the proof that the simulation still finds
what it has to.
"""

REGRESSIONS: dict[int, str] = {
    32: "an `on_failure` wait beyond the flow's deadline sent for itself without a pause",
    83: "two wide loops cut in one write shared their items",
    155: "a message that came early by another clock was taken for somebody else's, and dropped",
    160: "`on_failure` asked under an old idempotency key with another body after a redrive",
    181: "a redrive left the chunks of a wide loop under way to the sweeper",
    215: "a start that came 14 days late failed, and nobody was told",
    315: "an execution that was cancelled ended as failed",
    326: "a start that came again after the end sent for steps",
    410: "a pause between a shard's mark and the root's left the loop to the sweeper",
    450: "a dead-lettered start failed, and nobody was told",
    531: "`on_failure` ran with the reason of the worker that had lost",
    729: "a dead letter cut the `on_failure` steps of an ending execution short",
    1457: "a redrive of a failed `repeat` met a bug",
    1519: "an at-most-once step of two requests was repeated after a 429 on the second",
    1563: "a result stayed that only a derived skip of something dropped had made ready",
    1567: "a crash between recording a cut and sending its chunks left them to the sweeper",
    2574: "a redrive from above a failed loop kept its turns",
    2904: "a chunk that was told to stop woke nobody who would end the execution",
    3048: "chunks whose message was not sent were left to the sweeper",
    3054: "a second redrive left loops that the first had not touched in an old epoch",
    3644: "a shard's record lagged behind the epoch, and its chunks ended as dead letters",
    7196: "part of a window of chunks was not sent, and left to the sweeper",
    7371: "a claim that had run out before it was written let an at-most-once effect happen twice",
    7389: "a worker that woke late sent for steps that its dropped results had made ready",
    7933: "an execution ended while a claim in it was live, and its outcome was lost",
    9370: "a dead letter for an ordinary step ended an execution whose `on_failure` was waiting",
    10960: "`on_failure` ran for a cancelled execution",
    577303: "a request that came after its loop's end was taken for one without a claim (a mistake of the checker)",
    834111: "a pause that came between an end's judgement and its write did not stop it",
}
