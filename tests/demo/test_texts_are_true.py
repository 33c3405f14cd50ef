"""The demo shop says nothing that is not so: in its timeline, of refunds, of what was left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from bff import StoreUnavailable, Upsells
from bff.demo.run import DemoServer
from bff.demo.timeline.captions import Caption
from bff.demo.timeline.timeline import Timeline
from bff.store.handles import new_handle
from bff.store.sessions import create_session, find_session
from bff.web.runtime import runtime
from tests import TOP
from tests.support.demo_shop import PARKING, PROTECTION, Demo, Shopper, Shown, bought, running_demo
from tests.support.waiting import until

DOWN = {"kind": "drop", "times": None}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path) as running:
        yield running


@pytest.fixture
def shopper(demo: Demo) -> Iterator[Shopper]:
    one = demo.shopper()
    yield one
    one.close()


def told(shopper: Shopper) -> list[dict[str, Any]]:
    url = f"{shopper.demo.url}/timeline?after=0"
    entries: list[dict[str, Any]] = shopper.http.get(url, timeout=60).json()["entries"]
    return entries


def captions(shopper: Shopper) -> str:
    return "\n".join(entry["caption"] for entry in told(shopper))


# --- the timeline ---


def test_with_rokt_down_the_timeline_says_that_nothing_was_reserved_or_sold(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.faults("reserve", DOWN)
    shopper.get("/payment")
    states = [entry for entry in told(shopper) if entry["label"].startswith("cart version")]
    assert states[-1]["caption"] == "Nothing could be reserved."
    assert states[-1]["tone"] == "warn"
    shopper.pay()
    text = captions(shopper)
    assert "$128.00 is paid. No extras in this order." in text
    for false in ("The hold ends", "may be confirmed", "Sold", "is confirmed"):
        assert false not in text
    assert 5 not in [entry["step"] for entry in told(shopper)]


@pytest.mark.parametrize(("changed", "told_of_it"), [
    ({"stock": 0}, "Not available: Evening parking. The shopper is told."),
    ({"unitPrice": 15.0},
     "Held at a higher price, and not in the total yet: Evening parking."),
])  # fmt: skip
def test_what_is_reserved_beside_what_is_not_is_told_apart(
    demo: Demo, shopper: Shopper, changed: dict[str, float], told_of_it: str
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.add_extra(PROTECTION)
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, **changed}]})
    shopper.get("/payment")
    [state] = [entry for entry in told(shopper) if entry["caption"].startswith("Reserved")]
    assert state["caption"] == (
        f"Reserved: Ticket protection. {told_of_it} The hold ends at the time that Rokt gave."
    )
    assert state["tone"] == "warn"


def test_what_was_reserved_and_sold_is_told_as_such(demo: Demo, shopper: Shopper) -> None:
    bought(shopper)
    text = captions(shopper)
    assert "Reserved: Evening parking. The hold ends at the time that Rokt gave." in text
    assert "$140.50 is paid. Now the extras may be confirmed." in text
    assert "Every paid item is confirmed." in text


def test_the_yes_to_a_dearer_price_names_the_item(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 15.0}]})
    shopper.get("/payment")
    shopper.post("/payment/accept")
    assert "The shopper said yes to Evening parking at $15.00 each." in captions(shopper)


def test_why_a_message_comes_twice_is_said_once() -> None:
    timeline = Timeline()
    for quantity in (1, 2):
        for name in ("newer", "older"):
            timeline.add(
                "ada", "page", "page", "message", Caption(3, "Added."), detail={"n": quantity},
                name=name,
            )  # fmt: skip
    entries = [entry.to_json() for entry in timeline.since("ada")[0]]
    assert [entry["label"][-1] for entry in entries] == ["2", "2"]
    assert ["twice" in entry["caption"] for entry in entries] == [True, False]


def test_a_late_call_of_an_earlier_order_does_not_open_the_new_run(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    demo.rokt.faults("confirm", DOWN)
    thanks = shopper.pay()
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "reset"})  # Rokt is well again
    order = thanks.path.removeprefix("thanks/")
    until(lambda: demo.calls("confirm")[-1]["status"] == 200, 20)
    stand = f"{demo.url}/orders/{order}/state"
    until(lambda: "confirmed" in shopper.http.get(stand, timeout=60).text)
    assert told(shopper) == []
    bought(shopper)
    assert [entry["label"] for entry in told(shopper)].count("confirm") == 1


def test_a_late_call_of_this_run_is_shown(demo: Demo, shopper: Shopper) -> None:
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "reset"})
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/payment")
    demo.rokt.faults("confirm", {"kind": "drop", "times": 1})
    shopper.pay()
    until(lambda: "order confirmed" in [entry["label"] for entry in told(shopper)], 20)
    answers = [entry["response"] for entry in told(shopper) if entry["label"] == "confirm"]
    assert len(answers) == 2
    assert answers[1].startswith("200")


def test_starting_over_empties_the_cart_for_good(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.get("/timeline")
    shopper.post("/timeline/controls", {"toggle": "reset"})
    shopper.check_out()
    assert "Evening parking" not in shopper.get("/payment").text


# --- refunds ---


def cancel(shopper: Shopper, thanks: Shown) -> Shown:
    shopper.get(re.findall(r'href="(/orders/[^"]+)"', thanks.html)[0])
    return shopper.post(f"/orders/{thanks.path.removeprefix('thanks/')}/cancel-parking")


def test_a_refund_is_given_only_once_the_provider_has_agreed(demo: Demo, shopper: Shopper) -> None:
    thanks = bought(shopper)
    demo.rokt.faults("cancel", DOWN)
    asked = cancel(shopper, thanks)
    assert "Being canceled" in asked.text
    assert "Once they agree, what you paid for it goes back to your card" in asked.text
    assert "Refund" not in asked.text
    assert "Total $140.50" in asked.text
    assert "<del" not in asked.html
    demo.rokt.put("faults", {})
    until(lambda: "Refund -$12.50" in shopper.get(f"/{thanks.path}").text, 20)
    assert "Canceled" in shopper.page.text
    assert "Total $128.00" in shopper.page.text
    assert re.search(r"<del[^>]*>\$12\.50</del>", shopper.page.html)


def test_a_refusal_that_comes_late_is_said_plainly(demo: Demo, shopper: Shopper) -> None:
    thanks = bought(shopper)
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "refuseCancel": True}]})
    demo.rokt.faults("cancel", {"kind": "drop", "when": "before", "times": 1})
    assert "Being canceled" in cancel(shopper, thanks).text
    until(lambda: "Being canceled" not in shopper.get(f"/{thanks.path}").text, 20)
    assert "the provider refused. Your booking stands, and nothing is refunded." in (
        shopper.page.text
    )
    assert "Total $140.50" in shopper.page.text


def test_the_provider_is_not_blamed_when_it_was_not_asked(
    demo: Demo, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_more: object) -> None:
        raise StoreUnavailable("The database is busy; try again.")

    thanks = bought(shopper)
    with monkeypatch.context() as patch:
        patch.setattr(Upsells, "cancel", fails)
        answer = cancel(shopper, thanks)
    assert answer.status == 503
    assert "could not be canceled just now. Please try again." in answer.text
    assert "provider said no" not in answer.text
    assert "refused" not in shopper.get(f"/{thanks.path}").text


# --- what was left out ---


def test_what_could_not_be_held_stays_in_sight_and_out_of_the_charge(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.add_extra(PROTECTION)
    demo.rokt.faults("reserve", DOWN)
    payment = shopper.get("/payment")
    left = "Not included, not charged: Evening parking, Ticket protection."
    assert left in payment.text
    assert "Two extras could not be held just now" in payment.text
    assert payment.text.count("Try again") == 1
    assert "<li>Evening parking</li><li>Ticket protection</li>" in payment.html
    thanks = shopper.pay()
    assert left in thanks.text
    assert "Total $128.00" in thanks.text
    assert left in shopper.get(f"/{thanks.path}").text


def test_of_a_partly_reserved_extra_the_missing_part_is_named(demo: Demo, shopper: Shopper) -> None:
    shopper.check_out()
    shopper.add_extra(quantity=3)
    demo.rokt.faults("reserve", {"kind": "grant_less", "quantity": 1})
    shopper.get("/payment")
    assert "Not included, not charged: 2 x Evening parking." in shopper.pay().text


def test_what_was_all_had_leaves_nothing_out(shopper: Shopper) -> None:
    assert "Not included" not in bought(shopper).text


# --- an extra goes by a form ---


@pytest.mark.parametrize(("page", "back"), [("/cart", "cart"), ("/extras", "extras")])
def test_without_a_script_an_extra_is_removed_by_a_form(
    demo: Demo, shopper: Shopper, page: str, back: str
) -> None:
    shopper.check_out()
    shopper.add_extra()
    shopper.add_extra(PROTECTION)
    assert "$145.25" in shopper.get(page).text
    after = shopper.post("/extras/remove")
    assert after.path == back
    assert "$132.75" in after.text
    assert "Evening parking" not in after.text
    assert "A form of the shop removed an item" in captions(shopper)
    assert "$137.50" in shopper.get("/payment").text


def test_removing_needs_the_token_and_an_unknown_extra_changes_nothing(
    demo: Demo, shopper: Shopper
) -> None:
    shopper.check_out()
    held = shopper.add_extra()
    url = f"{demo.url}/extras/remove"
    assert requests.post(url, data={"cart_item_id": held}, timeout=60).status_code == 400
    refused = shopper.http.post(url, data={"cart_item_id": held}, timeout=60)
    assert refused.status_code == 400
    assert "Please try that again" in refused.text
    shopper.get("/cart")
    assert "$140.50" in shopper.post("/extras/remove", {"cart_item_id": "no such item"}).text


# --- words of the pages ---


def test_the_test_card_s_number_stays_beside_the_field_s_mistake(shopper: Shopper) -> None:
    shopper.check_out()
    shopper.get("/payment")
    wrong = shopper.pay({"number": "4242"})
    assert "This is not a card number" in wrong.text
    assert "Use 4242 4242 4242 4242" in wrong.text
    assert 'aria-describedby="number-error number-about"' in wrong.html
    for part in ("number-error", "number-about"):
        assert f'id="{part}"' in wrong.html


def test_the_styles_have_no_rule_for_what_is_nowhere() -> None:
    top = TOP
    sources = [
        path.read_text()
        for folder, kind in (("templates/demo", "*.html"), ("static/demo", "*.js"))
        for path in (top / folder).glob(kind)
    ]
    composed = ("entry--", "state--")  # of what happens, as the timeline and the wording name it
    for sheet in (top / "static/demo").glob("*.css"):
        css = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", sheet.read_text(), flags=re.DOTALL)
        for name in re.findall(r"\.([a-z][\w-]*)", css):
            is_used = any(name in source for source in sources)
            assert is_used or name.startswith(composed), f".{name} in {sheet.name}"


# --- what runs beside it ---


def test_the_demo_purges_what_is_over_by_itself(tmp_path: Path) -> None:
    server = DemoServer(tmp_path, port=0, emulator_port=0)
    store = runtime(server.app).store
    long_ago, handle = datetime.now(UTC) - timedelta(days=400), new_handle()
    with store.write() as connection:
        create_session(connection, handle, now=long_ago, expires_at=long_ago + timedelta(days=1))

    def is_there() -> bool:
        with store.read() as connection:
            return find_session(connection, handle, now=long_ago) is not None

    assert is_there()
    server.start()
    try:
        until(lambda: not is_there())
    finally:
        server.stop()
