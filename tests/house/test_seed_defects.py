"""Defects of two engines of this kind, by their numbers: none of them can be here, and each names what shows it.

T1 to T12 and Z2 to Z8 are the numbers of a review of two other workflow engines. A defect's tests are run wherever they
stand; here they are held to exist, and what a glance over the code or the table of routes can show is shown here.
"""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from chalicelib.api.auth import AdminKeys, Role, hashes_from
from chalicelib.api.routes import TABLE
from chalicelib.api.schemas import BODIES, PARAMETERS
from chalicelib.errors import SettingError
from tests.api.house import KEYS, House
from tests.matrix import PUBLIC

ROOT = Path(__file__).parents[2]
CODE = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
CATALOGUE = json.loads((ROOT / "chalicelib" / "catalogue.json").read_text("utf-8"))

SHOWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "T1": (
        "secrets stand in the graph, the queue, the record and the answers",
        (
            "tests/stories/test_journeys.py::test_a_secret_is_nowhere_however_a_service_echoes_it",
            "tests/worker/test_run.py::test_a_secret_echoed_by_a_service_is_masked_everywhere",
            "tests/api/test_hooks.py::test_no_answer_and_no_log_line_holds_a_secret",
        ),
    ),
    "T2": (
        "a default or empty key opens everything, and the caller chooses tenant and role",
        (
            "tests/api/test_auth.py::test_without_a_hash_nobody_gets_in",
            "tests/api/test_auth.py::test_a_setting_that_holds_no_hashes_is_refused_without_repeating_it",
            "tests/api/test_auth.py::test_the_tenant_is_the_keys_own_whatever_the_request_says",
            "tests/api/test_keys.py::test_only_the_deployments_own_keys_look_after_another_tenants",
            "tests/api/test_tokens.py::test_no_algorithm_without_a_private_key_can_be_pinned",
        ),
    ),
    "T3": (
        "everything below the hooks' path is open, lists and deletion too",
        (
            "tests/local/test_matrix.py::test_without_a_key_everything_is_closed_but_what_is_named",
            "tests/api/test_auth.py::test_without_a_valid_key_every_other_route_is_closed",
        ),
    ),
    "T4": (
        "anybody approves for anybody, in a tenant that the body names",
        (
            "tests/stories/test_tenants.py::test_a_link_answers_the_execution_of_its_own_tenant",
            "tests/api/test_scopes.py::test_a_key_that_runs_one_flow_and_reads_the_others_does_no_more",
            "tests/api/test_approvals.py::test_a_link_that_is_wrong_altered_or_anothers_leads_nowhere",
        ),
    ),
    "T5": (
        "viewers start, cancel, retry and delete",
        (
            "tests/api/test_auth.py::test_a_role_may_do_what_the_table_says_and_no_more",
            "tests/local/test_matrix.py::test_every_cell_is_answered_as_the_table_of_routes_says",
        ),
    ),
    "T6": (
        "the time is not signed, signatures are compared with ==, text that was not resolved is a key, secrets are shown",
        (
            "tests/signing/test_inbound.py::test_a_row_trusts_no_time_and_no_id_that_it_does_not_sign",
            "tests/api/test_hooks.py::test_a_credential_that_is_missing_is_our_fault_and_not_told_to_strangers",
            "tests/signing/test_inbound.py::test_a_wrong_signature_does_not_show_the_right_one",
        ),
    ),
    "T7": (
        "whatever takes a URL reaches private addresses",
        (
            "tests/adapters/test_http_guard.py::test_an_address_that_is_not_public_is_refused",
            "tests/adapters/test_http.py::test_no_spelling_of_a_private_address_connects",
            "tests/house/test_egress.py::test_nothing_leaves_but_where_it_is_allowed",
        ),
    ),
    "T8": (
        "an expression on a public path computes without end",
        (
            (
                "tests/local/test_dev_expressions.py"
                "::test_a_structure_that_doubles_fails_its_own_execution_while_others_are_answered"
            ),
        ),
    ),
    "T9": (
        "text of a delivery becomes SQL",
        ("tests/house/test_seed_defects.py::test_t9_no_node_takes_the_text_of_a_statement",),
    ),
    "T10": (
        "a node's parameter says whose data it reads",
        (
            "tests/stories/test_tenants.py::test_a_flow_calls_its_own_tenants_flows_alone",
            "tests/stories/test_tenants.py::test_a_file_is_there_for_its_own_tenant_whoever_knows_its_name",
            "tests/stories/test_tenants.py::test_the_tenant_is_in_the_key_of_every_record",
        ),
    ),
    "T11": (
        "any host key, any certificate, archives without end",
        (
            "tests/adapters/test_http.py::test_a_certificate_must_be_trusted_and_name_the_host",
            "tests/adapters/test_http.py::test_a_bomb_costs_the_limit_and_nothing_beyond",
        ),
    ),
    "T12": (
        "one rate limit for all strangers: a sender that floods one hook blocks the others",
        (
            "tests/api/test_rating.py::test_t12_one_hook_that_is_flooded_does_not_stop_another",
            "tests/api/test_rating.py::test_t12_a_stranger_who_knocks_without_end_does_not_use_up_the_senders_bucket",
        ),
    ),
    "Z2": (
        "what failed goes on as if it had not, a delivery with a bad signature too",
        (
            "tests/api/test_hooks.py::test_a_wrong_signature_is_refused",
            "tests/worker/test_run.py::test_a_failure_nobody_handles_ends_the_execution_and_runs_on_failure",
            "tests/worker/test_run.py::test_a_handled_failure_goes_on_by_the_error_port",
        ),
    ),
    "Z3": (
        "the editor knows other ports and fields than the engine",
        ("tests/test_catalogue.py::test_what_is_generated_is_current",),
    ),
    "Z4": (
        "the signature is over JSON that was written anew",
        (
            "tests/infra/test_app.py::test_the_signature_is_over_the_very_bytes",
            "tests/api/test_hooks.py::test_the_signature_covers_the_raw_bytes_not_what_they_mean",
        ),
    ),
    "Z5": (
        "every stored flow has open hooks, published or not, stopped or not",
        (
            "tests/api/test_hooks.py::test_a_disabled_flow_is_refused_and_answers_again_once_enabled",
            "tests/api/test_hooks.py::test_what_is_no_hook_is_not_found",
            "tests/api/test_hooks.py::test_a_trigger_without_a_token_of_its_own_is_closed",
        ),
    ),
    "Z6": (
        "a websocket without a key shows everybody's payloads",
        ("tests/local/test_asgi.py::test_a_websocket_is_not_spoken_here",),
    ),
    "Z7": (
        "whoever registers reads the vault, and anybody registers",
        (
            "tests/api/test_keys.py::test_whoever_is_no_admin_makes_and_sees_no_key",
            "tests/adapters/test_environment.py::test_the_environment_is_the_main_tenants_and_no_others",
        ),
    ),
    "Z8": (
        "stop has no owner check, every origin is allowed, nodes reach the server's own database",
        (
            "tests/stories/test_tenants.py::test_no_route_shows_or_changes_anything_of_another_tenant",
            "tests/local/test_hosts.py::test_a_request_in_a_strangers_name_is_refused_whatever_it_asks_for",
        ),
    ),
}
NUMBERS = [*(f"T{number}" for number in range(1, 13)), *(f"Z{number}" for number in range(2, 9))]


@cache
def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_number_is_shown_or_named_as_still_to_come():
    assert sorted(SHOWN) == sorted(NUMBERS)


@pytest.mark.parametrize("number", SHOWN)
def test_what_shows_a_defect_to_be_impossible_is_there(number):
    what, tests = SHOWN[number]
    assert what
    assert tests
    for named in tests:
        file, _, name = named.partition("::")
        assert name in functions_in(ROOT / file), named


def test_t2_no_default_opens_anything_and_nobody_chooses_a_role_or_a_tenant():
    for setting in ("", " ", ",", " , "):
        assert hashes_from(setting) == []
    with pytest.raises(SettingError):  # the hash of an empty key
        AdminKeys(["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    names = {name for declared in (*PARAMETERS.values(), *BODIES.values()) for name in declared}
    assert names & {"tenant_id", "auth", "token", "api_key", "password"} == set()
    said = {kind for kind, declared in {**PARAMETERS, **BODIES}.items() if {"tenant", "role"} & declared.keys()}
    said -= {"NewCredential", "CredentialShare"}  # there the role is the least that may use it, and gives nobody any
    assert said == {"Key", "Keys", "Tenant"}  # each asks what the caller may give: tests/api/test_keys.py
    for route in TABLE:
        if said & {route.query, route.takes}:
            assert route.role is Role.ADMIN, route.path


def test_t3_below_the_hooks_path_nothing_is_done_but_receiving():
    below = {route.handler for route in TABLE if "/hooks/" in route.path}
    assert below == {"hooks:receive"}
    assert {route.handler for route in TABLE if route.role is None} == PUBLIC


def test_t5_whatever_changes_something_needs_more_than_a_viewer():
    for route in TABLE:
        is_own = route.path == "/api/v1/session"  # whoever has a key signs in and out with it
        if route.role is not None and set(route.methods) - {"GET"} and not is_own:
            assert route.role > Role.VIEWER, route.path


SECRET = re.compile(r"(signature|secret|token|digest|mac|hashed|password)$")


def plainly_compared(source: str) -> list[int]:
    """The lines where `==` stands between two things of which one is called a signature, a secret, a token ..."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            sides = [node.left, *node.comparators]
            names = [getattr(each, "attr", getattr(each, "id", "")) for each in sides]
            if any(SECRET.search(name) for name in names) and not any(isinstance(e, ast.Constant) for e in sides):
                found.append(node.lineno)
    return found


def test_t6_secrets_are_compared_in_constant_time():
    assert plainly_compared("signature == other") == plainly_compared("given != self._token") == [1]
    rooms = [path for path in CODE if path.parent.name in {"api", "signing", "cloud", "local", "vault"}]
    found = {str(path.relative_to(ROOT)): plainly_compared(path.read_text("utf-8")) for path in rooms}
    assert {path: lines for path, lines in found.items() if lines} == {}


SPEAK_SQL: dict[str, str] = {}
"""Nodes that send statements, each with the test that shows its values to be bound, never part of the text."""


def test_t9_no_node_takes_the_text_of_a_statement():
    statement = {"sql", "statement", "cypher", "command", "script"}
    found = {kind for kind, entry in CATALOGUE.items() if statement & set(entry["parameters"]["properties"])}
    assert found <= SPEAK_SQL.keys()


def test_t10_no_node_is_told_whose_data_it_works_on():
    ours = {kind: entry for kind, entry in CATALOGUE.items() if entry.get("service") in {None, ""}}
    assert len(ours) > 20
    for kind, entry in ours.items():
        assert {"tenant", "tenant_id", "workspace", "owner"} & set(entry["parameters"]["properties"]) == set(), kind


def test_t11_nothing_trusts_any_certificate_or_any_host_key():
    trusting = re.compile(
        r"CERT_NONE|check_hostname\s*=\s*False|verify\s*=\s*False|_create_unverified|AutoAddPolicy|known_hosts\s*=\s*None"
    )
    assert [str(path.relative_to(ROOT)) for path in CODE if trusting.search(path.read_text("utf-8"))] == []


def test_t11_archives_are_opened_where_their_size_is_bounded():
    opening = re.compile(r"^\s*(?:import|from) (zipfile|tarfile|gzip|bz2|lzma|zlib|shutil)\b", re.MULTILINE)
    found = {str(path.relative_to(ROOT)) for path in CODE if opening.search(path.read_text("utf-8"))}
    # Each has a limit, and a test of it.
    assert found == {
        "chalicelib/api/content.py",
        "chalicelib/adapters/http_body.py",
        "chalicelib/sandbox/package.py",
    }


def test_z7_nobody_registers():
    words = ("register", "signup", "sign-up", "invite", "users")
    assert [route.path for route in TABLE if any(word in route.path for word in words)] == []


def test_z8_no_answer_lets_another_origin_read_it():
    house = House()
    for route in TABLE:
        path = "/".join("a" * 26 if part.startswith("{") else part for part in route.path.split("/"))
        for method in (*route.methods, "OPTIONS"):
            headers = {"authorization": f"Bearer {KEYS['admin']}", "origin": "https://evil.example"}
            answer = house.send(method, path, b"", headers=headers)
            assert not [name for name, _ in answer.headers if name.startswith("access-control-")], (method, path)
