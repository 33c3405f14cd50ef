"""What a reserve has to do: keep, ask, give back, each line and each reservation exactly once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.cart.held_cart import Line
from bff.cart.renewal import Plan, plan_reserve
from bff.cart.reservation import Reason, Reservation, State
from tests.support.samples import NOW, cart_item, reservation

MARGIN = timedelta(seconds=60)
LINE = Line(cart_item("a", quantity=3), 4)
NEWER = replace(LINE, revision=5)


def plan(lines: list[Line], *rows: Reservation) -> Plan:
    return plan_reserve(lines, rows, now=NOW, margin=MARGIN)


def test_what_was_never_asked_for_is_asked_for() -> None:
    assert plan([LINE]) == Plan(keep=(), ask=(LINE,), release=(), lapsed=())


def test_an_unchanged_line_keeps_its_reservation_and_nothing_is_to_be_done() -> None:
    row = reservation(LINE)
    assert plan([LINE], row) == Plan(keep=(row,), ask=(), release=(), lapsed=())


def test_a_changed_line_is_asked_for_anew_and_the_old_reservation_given_back() -> None:
    row = reservation(LINE)
    assert plan([NEWER], row) == Plan(keep=(), ask=(NEWER,), release=(row,), lapsed=())


def test_what_left_the_cart_is_given_back_and_the_rest_is_kept() -> None:
    other = Line(cart_item("b"), 2)
    gone, kept = reservation(LINE), reservation(other)
    assert plan([other], gone, kept) == Plan(keep=(kept,), ask=(), release=(gone,), lapsed=())


@pytest.mark.parametrize("left", [0, -1])
def test_a_lapsed_reservation_needs_no_giving_back(left: float) -> None:
    row = reservation(LINE, left=left)
    assert plan([LINE], row) == Plan(keep=(), ask=(LINE,), release=(), lapsed=(row,))


@pytest.mark.parametrize(("left", "kept"), [(59.9, False), (60, True), (61, True), (None, True)])
def test_a_reservation_about_to_lapse_is_renewed(left: float | None, kept: bool) -> None:
    row = reservation(LINE, left=left)
    assert (plan([LINE], row).keep == (row,)) is kept
    assert (plan([LINE], row).release == (row,)) is not kept


@pytest.mark.parametrize(("left", "kept"), [(29, True), (1, True), (0, False)])
def test_a_grant_shorter_than_the_margin_is_used_as_long_as_it_lasts(
    left: float, kept: bool
) -> None:
    row = reservation(LINE, left=left, granted=30)
    assert (plan([LINE], row).keep == (row,)) is kept


def test_a_rejected_line_is_asked_for_again_only_after_it_changed() -> None:
    row = reservation(LINE, state=State.REJECTED, reason=Reason.SOLD_OUT)
    assert plan([LINE], row) == Plan(keep=(row,), ask=(), release=(), lapsed=())
    assert plan([NEWER], row) == Plan(keep=(), ask=(NEWER,), release=(), lapsed=())


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.BUSY])
def test_a_passing_reason_is_no_reason_not_to_ask_again(reason: Reason) -> None:
    row = reservation(LINE, state=State.REJECTED, reason=reason)
    assert plan([LINE], row).ask == (LINE,)


def test_of_two_reservations_for_a_line_the_newest_is_kept_and_the_other_given_back() -> None:
    first, second = reservation(LINE, id="1"), reservation(LINE, id="2")
    made = plan([LINE], first, second)
    assert (made.keep, made.release) == ((second,), (first,))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), unique_by=lambda x: x[0]),
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.integers(1, 3),
            st.sampled_from([State.RESERVED, State.REJECTED]),
            st.sampled_from([-5, 5, 100, 600]),
            st.sampled_from([30, 600]),
        ),
        max_size=8,
    ),
)
@settings(max_examples=120, deadline=None)
def test_every_line_is_kept_or_asked_for_and_nothing_reserved_is_forgotten(
    wanted: list[tuple[str, int]], found: list[tuple[str, int, State, int, int]]
) -> None:
    lines = [Line(cart_item(one), revision) for one, revision in wanted]
    rows = [
        reservation(
            Line(cart_item(one), revision), id=str(n), state=state, left=left, granted=granted
        )
        for n, (one, revision, state, left, granted) in enumerate(found)
    ]
    made = plan(lines, *rows)
    named = [row.item.cart_item_id for row in made.keep]
    named += [line.item.cart_item_id for line in made.ask]
    assert sorted(named) == sorted(one for one, _ in wanted)
    reserved = [row for row in rows if row.state is State.RESERVED]
    told = [*made.keep, *made.release, *made.lapsed]
    assert sorted(row.id for row in reserved) == sorted(
        row.id for row in told if row.state is State.RESERVED
    )
    assert not any(row.lapsed(NOW) for row in (*made.keep, *made.release) if row in reserved)
