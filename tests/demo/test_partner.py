"""The partner's backend: plain Python that charges what the BFF says, once, and tells it so."""

from __future__ import annotations

import errno
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from bff.demo import second_origin as beside
from bff.demo.partner import PartnerServer
from bff.demo.partner.client import Bff, Unreachable
from bff.demo.run import CannotStart, DemoServer
from tests import TOP
from tests.support.demo_shop import PARKING, Demo, Shown, running_demo
from tests.support.waiting import until

DOWN = {"kind": "drop", "times": None}
PACKAGE = TOP / "bff" / "demo" / "partner"
ADA = {"name": "Ada Marsh", "email": "ada@example.com"}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path, partner=True) as running:
        yield running


class Visitor:
    """A browser on the partner's site. ``add``, ``reserve``: what the page's bridge does."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.site = demo.partner
        self.http = requests.Session()
        self.handle = ""
        self.answers: list[requests.Response] = []

    def get(self, path: str) -> Shown:
        return self._shown(self.http.get(self.site + path, timeout=60))

    def post(self, path: str, form: Mapping[str, str]) -> Shown:
        return self._shown(self.http.post(self.site + path, data=form, timeout=60))

    def _shown(self, answer: requests.Response) -> Shown:
        self.answers += [*answer.history, answer]
        return Shown(answer)

    def bff(self, path: str, body: object) -> Any:
        headers = {"Origin": self.site, "Sec-Fetch-Site": "cross-site", "Rokt-Bff": "1"}
        if self.handle:
            headers["Authorization"] = f"Bearer {self.handle}"
        url = f"{self.demo.url}/rokt{path}"
        answer = requests.post(url, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def add(self, catalog_item_id: str = PARKING, quantity: int = 1) -> str:
        self.handle = self.handle or self.bff("/session", {})["handle"]
        offers = requests.get(f"{self.demo.rokt.url}/_emulator/offers", timeout=60).json()["offers"]
        offer = next(one for one in offers if one["catalogItemId"] == catalog_item_id)
        members = ("cartItemId", "catalogItemId", "name", "description", "unitPrice", "currency")
        item = {k: offer[k] for k in members} | {"quantity": quantity}
        item["totalPrice"] = offer["unitPrice"] * quantity
        update = {"updatedItem": item, "oldItem": None, "page": str(uuid4()), "seq": 1}
        self.bff("/cart/updates", update)
        found: str = offer["cartItemId"]
        return found

    def checkout(self, query: str = "seat=2") -> dict[str, str]:
        """Open the checkout and give its form, filled in."""
        return {**self.get(f"/checkout?{query}").form("/bookings"), **ADA}

    def reserved(self, query: str = "seat=2") -> dict[str, str]:
        """The form as the page's script fills it once the extras are held."""
        form, quote = self.checkout(query), self.bff("/cart/reserve", {})
        total = 56 + float(quote["totals"].get("USD", 0))
        return form | {
            "handle": self.handle,
            "quote_id": quote["quoteId"],
            "shown": f"{total:.2f}",
        }

    def pay(self, form: Mapping[str, str]) -> Shown:
        return self.post("/bookings", form)


@pytest.fixture
def visitor(demo: Demo) -> Iterator[Visitor]:
    one = Visitor(demo)
    yield one
    one.http.close()


# --- plain Python ---


def test_it_runs_with_nothing_installed_and_nothing_of_the_rest() -> None:
    # Empty packages stand for bff and bff.demo, so that their own __init__ does not run.
    code = (
        "import sys, types\n"
        "for name, path in {'bff': '', 'bff.demo': '/demo'}.items():\n"
        "    package = sys.modules[name] = types.ModuleType(name)\n"
        f"    package.__path__ = [{str(PACKAGE.parent.parent)!r} + path]\n"
        "from bff.demo.partner import Partner, PartnerServer\n"
        "PartnerServer('127.0.0.1', 0).stop()\n"
        "assert not {'flask', 'requests'} & set(sys.modules), sys.modules\n"
        "ours = {name for name in sys.modules if name.startswith('bff.')} - {'bff.demo'}\n"
        "assert all(name.startswith('bff.demo.partner') for name in ours), ours\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- seats alone ---


def test_without_a_script_seats_are_booked_and_rokt_hears_nothing(
    demo: Demo, visitor: Visitor
) -> None:
    booked = visitor.pay(visitor.checkout("seat=2&under26=1"))
    assert booked.status == 200
    assert "You are booked" in booked.text
    assert "Thank you, Ada Marsh" in booked.text
    assert "Paid $72.00" in booked.text
    assert "Extras" not in booked.text
    assert demo.calls() == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "choose at least one seat"),
        ("seat=0", "choose at least one seat"),
        ("seat=7", "up to 6 seats"),
        ("seat=4&under26=4", "up to 6 seats"),
        ("seat=1.5", "as a whole number"),
        ("seat=-1", "as a whole number"),
        ("front=1", "Front bench is sold out"),
    ],
)
def test_what_cannot_be_booked_is_explained_on_the_page(
    visitor: Visitor, query: str, said: str
) -> None:
    page = visitor.get(f"/checkout?{query}")
    assert page.status == 422
    assert said in page.text


def test_mistakes_in_the_details_stand_beside_their_fields_and_book_nothing(
    visitor: Visitor,
) -> None:
    form = visitor.checkout()
    wrong = visitor.pay(form | {"name": " ", "email": "ada"})
    assert wrong.status == 422
    assert "Enter your name." in wrong.text
    assert "Enter an email address" in wrong.text
    assert 'value="ada"' in wrong.html
    assert wrong.html.count('aria-invalid="true"') == 2
    assert "You are booked" in visitor.pay(form).text


def test_what_was_typed_is_text_on_every_page(visitor: Visitor) -> None:
    evil = '"><script>alert(1)</script>$title'
    wrong = visitor.pay(visitor.checkout() | {"name": evil, "email": evil})
    assert "<script>alert" not in wrong.html
    booked = visitor.pay(visitor.checkout() | {"name": evil})
    assert "<script>alert" not in booked.html
    assert f"Thank you, {evil.split('<')[0]}" in booked.text


def test_the_same_form_posted_at_once_and_again_is_one_booking(
    demo: Demo, visitor: Visitor
) -> None:
    visitor.add()
    form = visitor.reserved()
    with ThreadPoolExecutor(4) as pool:
        numbers = {
            re.findall(r"RW-\w{7}", page.text)[0] for page in pool.map(visitor.pay, [form] * 4)
        }
    numbers |= set(re.findall(r"RW-\w{7}", visitor.pay(form | {"name": "Somebody"}).text))
    assert len(numbers) == 1
    assert [call["body"]["orderId"] for call in demo.calls("confirm")] == [*numbers]


# --- seats and extras ---


def test_what_was_held_is_paid_confirmed_and_canceled_through_the_server_endpoints(
    demo: Demo, visitor: Visitor
) -> None:
    item = visitor.add()
    booked = visitor.pay(visitor.reserved())
    assert "1 x Evening parking $12.50 Confirmed" in booked.text
    assert "Extras $12.50" in booked.text
    assert "Paid $68.50" in booked.text
    cancel = next(action for action, _ in booked.forms)
    canceled = visitor.post(cancel, booked.form(cancel))
    assert "Evening parking $12.50 Canceled" in canceled.text
    assert "Refund -$12.50" in canceled.text
    assert "Paid $56.00" in canceled.text
    [reserve], [confirm], [cancel_call] = (
        demo.calls(name) for name in ("reserve", "confirm", "cancel")
    )
    assert [one["cartItemId"] for one in confirm["body"]["items"]] == [item]
    assert confirm["body"]["orderId"] in booked.text
    [granted] = reserve["answer"]["items"]
    assert cancel_call["body"] == {"itemReservationId": granted["itemReservationId"]}


def test_an_extra_that_is_free_is_confirmed_too(demo: Demo, visitor: Visitor) -> None:
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "unitPrice": 0}]})
    visitor.add()
    booked = visitor.pay(visitor.reserved())
    assert "1 x Evening parking $0.00 Confirmed" in booked.text
    assert "Paid $56.00" in booked.text
    assert len(demo.calls("confirm")) == 1


@pytest.mark.parametrize("change", [{"shown": "56.01"}, {"quote_id": str(uuid4())}])
def test_a_total_that_the_page_did_not_show_is_not_charged(
    demo: Demo, visitor: Visitor, change: dict[str, str]
) -> None:
    visitor.add()
    page = visitor.pay(visitor.reserved() | change)
    assert page.status == 409
    assert "Your total has changed" in page.text
    assert demo.calls("confirm") == []


def test_what_changed_in_another_tab_is_not_charged_unseen(demo: Demo, visitor: Visitor) -> None:
    visitor.add()
    form = visitor.reserved()
    visitor.add("parking.front")
    page = visitor.pay(form)
    assert page.status == 409
    assert "Nothing was charged" in page.text
    assert 'data-start="pay"' in page.html
    assert demo.calls("confirm") == []


def test_with_the_bff_away_nothing_is_charged_and_seats_alone_can_be(
    demo: Demo, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.add()
    form = visitor.reserved()
    monkeypatch.setattr(Bff, "_call", _away)
    page = visitor.pay(form)
    assert page.status == 503
    assert "Your extras could not be held" in page.text
    alone = {**page.form("/bookings"), **ADA}
    assert not alone["handle"]
    assert "Paid $56.00" in visitor.pay(alone).text


def _away(*_args: object) -> None:
    raise Unreachable("nobody is there")


def test_a_paid_order_of_which_the_bff_has_not_heard_is_told_at_the_next_look(
    demo: Demo, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.add()
    with monkeypatch.context() as patch:
        patch.setattr(Bff, "record", _away)
        booked = visitor.pay(visitor.reserved())
    assert "Your extras $12.50 Being confirmed" in booked.text
    assert 'http-equiv="refresh"' in booked.html
    assert demo.calls("confirm") == []
    assert "Evening parking $12.50 Confirmed" in visitor.get("/" + booked.path).text
    assert len(demo.calls("confirm")) == 1


def test_a_confirm_that_rokt_does_not_answer_shows_itself_when_it_comes(
    demo: Demo, visitor: Visitor
) -> None:
    visitor.add()
    form = visitor.reserved()
    demo.rokt.faults("confirm", {"kind": "drop", "times": 2})
    booked = visitor.pay(form)
    assert "Being confirmed" in booked.text
    state = f"{visitor.site}/{booked.path}/state"
    waiting = requests.get(state, timeout=60).json()
    assert waiting == {"state": "Being confirmed"}
    until(lambda: requests.get(state, timeout=60).json() == {"state": "Confirmed"}, 20)


def test_a_cancel_that_the_provider_refuses_leaves_the_booking(
    demo: Demo, visitor: Visitor
) -> None:
    visitor.add()
    booked = visitor.pay(visitor.reserved())
    demo.rokt.put("catalog", {"items": [{"catalogItemId": PARKING, "refuseCancel": True}]})
    cancel = next(action for action, _ in booked.forms)
    refused = visitor.post(cancel, booked.form(cancel))
    assert refused.status == 409
    assert "The provider did not agree" in refused.text
    assert "Paid $68.50" in refused.text


# --- who may see what ---


def test_another_s_booking_and_what_is_not_there_are_not_found(visitor: Visitor) -> None:
    booked = visitor.pay(visitor.checkout())
    number = re.findall(r"RW-\w{7}", booked.text)[0]
    for path in (f"/bookings/{number}", "/bookings/made-up", "/static/../partner.py", "/nothing"):
        assert visitor.get(path).status == 404
    assert visitor.post("/nothing", {}).status == 404
    assert visitor.post(f"/{booked.path}/cancel", {"cart_item_id": "made up"}).status == 404


def test_no_page_sets_a_cookie_or_shows_the_server_key_and_each_has_the_policy(
    demo: Demo, visitor: Visitor
) -> None:
    with demo.server.app.app_context():
        key = demo.server.parts.upsells.settings.server_key
    assert len(key) >= 32
    visitor.get("/")
    visitor.add()
    visitor.pay(visitor.reserved())
    visitor.get("/nothing-here")
    visitor.get("/static/checkout.js")
    assert len(visitor.answers) == 6
    for answer in visitor.answers:
        assert "Set-Cookie" not in answer.headers
        assert key not in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith(f"default-src 'none'; script-src 'self' {demo.url} ")
        assert f"connect-src 'self' {demo.url} {demo.rokt.url};" in policy
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


@pytest.mark.parametrize("length", ["999999999", "-5", "five"])
def test_a_body_that_is_no_booking_is_refused_unread(visitor: Visitor, length: str) -> None:
    host, port = visitor.site.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(f"POST /bookings HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(200)


# --- how it is set up ---


def test_the_partner_is_added_to_the_origins_and_keys_that_are_set() -> None:
    made = beside.settings_for("http://127.0.0.2:8082", {})
    assert made["ROKT_BFF_ORIGINS"] == ("http://127.0.0.2:8082",)
    assert len(made["ROKT_BFF_SERVER_KEY"]) >= 32
    given = {"ROKT_BFF_ORIGINS": "https://a.example", "ROKT_BFF_SERVER_KEY": "k" * 32}
    kept = beside.settings_for("http://127.0.0.2:8082", given)
    assert kept["ROKT_BFF_ORIGINS"] == ("https://a.example", "http://127.0.0.2:8082")
    assert kept["ROKT_BFF_SERVER_KEY"] == "k" * 32


def test_without_a_second_loopback_address_another_port_is_another_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[str] = []

    def take(host: str, port: int) -> str:
        tried.append(host)
        if host == "127.0.0.2":
            raise OSError(errno.EADDRNOTAVAIL, "cannot assign")
        return f"{host}:{port}"

    monkeypatch.setattr(beside, "PartnerServer", take)
    assert str(beside.take_address("127.0.0.2", 8082)) == "127.0.0.1:8082"
    assert tried == ["127.0.0.2", "127.0.0.1"]
    monkeypatch.setattr(beside, "HOST", "127.0.0.9")  # then the other one was asked for by name
    with pytest.raises(OSError, match="cannot assign"):
        beside.take_address("127.0.0.2", 8082)


def test_a_taken_port_is_named_with_its_cure_and_an_open_address_is_refused(tmp_path: Path) -> None:
    taken = PartnerServer("127.0.0.2", 0)
    port = int(taken.url.rsplit(":", 1)[1])
    try:
        with pytest.raises(CannotStart, match=rf"(?s)partner.*:{port}.*--partner-port"):
            DemoServer(tmp_path, port=0, emulator_port=0, partner=("127.0.0.2", port))
    finally:
        taken.stop()
    for host in ("0.0.0.0", "shop.example"):
        with pytest.raises(CannotStart, match="this machine only"):
            DemoServer(tmp_path, port=0, emulator_port=0, partner=(host, 0))
