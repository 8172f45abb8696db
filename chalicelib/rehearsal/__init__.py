"""Tests of flows: `<flow>.test.yaml` beside a flow, read strictly and run on the real engine and worker.

Comes in: a test file and the flow beside it. Goes out: for each case what differed, and what of the flow it covered.
Everything a case runs on lies in memory, and time is virtual: it passes only when everything sleeps. Pure steps really
run; any other step is given the outcome that the file says (its mock), and one without a mock fails the case. Nothing
here reaches a network, a disk or a credential. `penstock test` and the pytest plugin are its two callers; neither the
embedded server nor the cloud knows it.
"""
