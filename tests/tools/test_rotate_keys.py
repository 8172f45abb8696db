"""A rotation of the master key that is killed at random moments loses no credential."""

from tools.rotate_keys import rotate_and_kill


def test_every_credential_opens_whenever_the_rotation_was_killed(tmp_path):
    found = rotate_and_kill(tmp_path, 300, 5, seed=3)
    assert (found.kills, found.lost, found.opened) == (5, 0, 6 * 300)
    assert found.master_keys > 2
    assert found.in_the_middle >= 3, found.under
