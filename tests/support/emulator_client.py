"""How tests speak to the emulator: over real HTTP, with the headers that the Cart API asks for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from bff.emulator import EmulatorServer, EmulatorSettings
from tests.support.waiting import PATIENCE

HEADERS = {
    "rokt-api-key": "emulator-key",
    "rokt-tag-id": "emulator-tag",
    "rokt-session-id": "session-1",
    "Content-Type": "application/json",
    "Accept": "application/json",
}
PATHS = {
    "any": "/v1/placements/any",
    "reserve": "/v1/cart/reserve",
    "confirm": "/v1/cart/confirm",
    "release": "/v1/cart/release",
    "cancel": "/v1/confirmation/cancel",
}
PARKING = "v1:0001:parking.standard"
VIP = "v1:0002:parking.vip"
POSTER = "v1:0003:poster.souvenir"


class Client:
    """A partner's server and a test's hand in one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def call(
        self,
        endpoint: str,
        body: object,
        change: Mapping[str, str | None] | None = None,
        *,
        timeout: float = PATIENCE,
    ) -> requests.Response:
        """Send one call; `change` are other headers, and None leaves one out."""
        given = change or {}
        kept = {name: value for name, value in HEADERS.items() if name not in given}
        sent = kept | {name: value for name, value in given.items() if value is not None}
        url = self.url + PATHS.get(endpoint, endpoint)
        request = requests.Request("POST", url, json=body, headers=sent)
        prepared = request.prepare()
        for name in set(HEADERS) - set(sent):  # also those that the library puts in by itself
            prepared.headers.pop(name, None)
        return self.http.send(prepared, timeout=timeout)

    def reserve(self, *lines: tuple[str, int], cart: str = "cart-1") -> requests.Response:
        items = [{"cartItemId": item, "quantity": quantity} for item, quantity in lines]
        return self.call("reserve", {"cartId": cart, "items": items})

    def reserved(self, item: str = PARKING, quantity: int = 1, cart: str = "cart-1") -> Any:
        """Reserve one item and give it as it was answered."""
        answer = self.reserve((item, quantity), cart=cart)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"][0]

    def confirm(
        self, *items: dict[str, Any], cart: str = "cart-1", order: str = "order-1", **more: Any
    ) -> requests.Response:
        body = {"cartId": cart, "orderId": order, "items": list(items)} | more
        return self.call("confirm", body)

    def release(self, *items: dict[str, Any], cart: str = "cart-1") -> requests.Response:
        names = [{k: i[k] for k in ("cartItemId", "itemReservationId")} for i in items]
        return self.call("release", {"cartId": cart, "items": names})

    def cancel(self, item: dict[str, Any]) -> requests.Response:
        body = {"itemReservationId": item["itemReservationId"]}
        return self.call("cancel", body, {"rokt-tag-id": None, "rokt-session-id": None})

    def any(self, timeout: float = PATIENCE) -> requests.Response:
        body = {"cartId": "cart-1", "pageIdentifier": "checkout.upsell"}
        return self.call("any", body, timeout=timeout)

    def control(self, method: str, name: str, body: object = None) -> requests.Response:
        return self.http.request(
            method, f"{self.url}/_emulator/{name}", json=body, timeout=PATIENCE
        )

    def put(self, name: str, body: object) -> Any:
        """Change something, and insist that it was taken."""
        answer = self.control("PUT", name, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, endpoint: str, *faults: dict[str, Any]) -> None:
        self.put("faults", {endpoint: list(faults)})

    def state(self) -> Any:
        return self.control("GET", "state").json()

    def stock(self, catalog_item_id: str) -> int:
        found: int = self.state()["catalog"][catalog_item_id]["stock"]
        return found

    def standing(self, item: dict[str, Any]) -> Any:
        """Give what became of a reservation."""
        return self.state()["reservations"][item["itemReservationId"]]

    def journal(self, query: str = "") -> Any:
        return self.control("GET", f"journal{query}").json()["entries"]

    def move_clock(self, seconds: float) -> None:
        answer = self.control("POST", "clock", {"seconds": seconds})
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        assert self.control("POST", "reset").status_code == 200


@contextmanager
def running(settings: EmulatorSettings | None = None) -> Iterator[Client]:
    """Run an emulator for a while and give a client of it."""
    with EmulatorServer(settings) as server:
        client = Client(server.url)
        try:
            yield client
        finally:
            client.http.close()


def codes(answer: requests.Response) -> list[str]:
    """Give the codes of an error body, after a look at its shape."""
    body = answer.json()
    assert set(body) == {"description", "errors"}
    assert isinstance(body["description"], str)
    assert all(set(error) == {"code", "message", "value"} for error in body["errors"])
    return [error["code"] for error in body["errors"]]
