"""One byte changed anywhere in what a sender signs, at random: nothing is accepted; and the search would find it."""

from dataclasses import replace

import pytest

from chalicelib.signing.inbound import scheme_names
from chalicelib.signing.inbound_scheme import Own, Signed
from chalicelib.signing.inbound_table import SCHEMES
from tests.signing.mutations import judged, mutate, specimens

COUNT = 6_000


def test_of_all_schemes_no_delivery_with_one_byte_changed_is_accepted(record_property):
    findings = mutate(COUNT, seed=1)
    assert findings.accepted == []
    assert findings.refused.total() == COUNT
    assert {scheme for scheme, _ in findings.refused} == set(scheme_names())
    kinds = {kind: sum(count for (_, each), count in findings.refused.items() if each == kind) for kind in
             ("body", "field", "signature")}  # fmt: skip
    assert all(count > COUNT / 10 for count in kinds.values())
    said = ", ".join(f"{count} of the {kind}" for kind, count in kinds.items())
    record_property(
        "covered", f"webhooks: {COUNT} random mutations of {len(scheme_names())} schemes ({said}), none accepted"
    )


def test_every_specimen_is_good_before_it_is_changed_and_changed_where_it_is_signed():
    everything = specimens()
    assert {specimen.scheme for specimen in everything.values()} == set(scheme_names())
    for name, specimen in everything.items():
        assert judged(specimen, specimen.delivery), name
        assert "signature" in specimen.changes, name
    unsigned = {specimen.scheme for specimen in everything.values() if "body" not in specimen.changes}
    assert unsigned == {"mailgun", "adyen-standard", "aws-sns", "gitlab", "token", "basic"}
    signing = {scheme for scheme, row in SCHEMES.items() if isinstance(row, (Signed, Own))}
    assert {s.scheme for s in everything.values() if "body" in s.changes or "field" in s.changes} >= signing


def test_a_verification_that_lets_something_through_is_found():
    careless = mutate(300, judge=lambda specimen, delivery: specimen.scheme == "github" or judged(specimen, delivery))
    assert careless.accepted
    assert {name for name, _, _ in careless.accepted} == {"github"}

    def signature_only(specimen, delivery):
        return judged(specimen, delivery) or delivery.body != specimen.delivery.body

    assert {kind for _, kind, _ in mutate(300, judge=signature_only).accepted} <= {"body", "field", "signature"}
    assert mutate(300, judge=signature_only).accepted


def test_a_specimen_that_is_not_good_to_begin_with_proves_nothing_and_stops_the_search():
    broken = specimens()
    broken["github"] = replace(broken["github"], secret={"secret": "another"})
    with pytest.raises(ValueError, match="github"):
        mutate(10, among=broken)
