"""`make run`, without a terminal."""

import subprocess
import sys
from pathlib import Path

from chalicelib.adapters.sqlite.lock import FileLock
from tests.dev_server import environment
from tools import first_run

ROOT = Path(__file__).parents[2]


def test_the_first_run_posts_a_signed_order_shows_what_became_of_it_and_ends(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.first_run", str(tmp_path / "penstock" / "store.db")],
        cwd=ROOT,
        env=environment({"PENSTOCK_ADMIN_KEY_HASH": "0" * 64, "PENSTOCK_KEY": "of another server"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = done.stdout
    assert "flows/order-desk.yaml: good" in out
    assert "signed as Standard Webhooks sign" in out
    for step in ("wanted", "priced", "total", "key_account", "reference"):
        assert any(line.split()[:1] == [step] and " succeeded " in line for line in out.splitlines()), step
    assert any(line.split()[:1] == ["customs"] and " skipped " in line for line in out.splitlines())
    assert '200 {\n  "order": "A-1042",\n  "total": "528.98"' in out
    assert "Next:" in out
    assert "Traceback" not in done.stderr


def test_the_first_run_says_so_where_another_server_has_the_store(tmp_path):
    store = tmp_path / "penstock" / "store.db"
    store.parent.mkdir()
    lock = FileLock(store)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tools.first_run", str(store)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        lock.release()
    assert done.returncode == 2
    assert "is in use by process" in done.stderr
    assert "POST" not in done.stdout


def test_a_server_that_does_not_answer_in_time_is_said_and_stopped(tmp_path, capfd):
    store = tmp_path / "penstock" / "store.db"
    assert first_run.main(store, up_within=0.0) == 1
    assert "did not answer at http://127.0.0.1:" in capfd.readouterr().err
    store.parent.mkdir(exist_ok=True)
    FileLock(store).release()  # nobody holds it any more
