"""Settings are read once, and every problem of theirs is named at once with its cure."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest
from flask import Flask

from bff.config.readers import MAX_CALL_SECONDS
from bff.config.settings import PREFIX, Settings
from bff.errors import ConfigError
from bff.money import is_currency
from bff.outbox.queue import LEASE
from tests.support.samples import problems, read_settings


def test_two_settings_are_enough() -> None:
    assert read_settings() == Settings(api_key="key", tag_id="tag")


def test_other_keys_of_the_shop_are_none_of_ours() -> None:
    config = {"ROKT_BFF_API_KEY": "a", "ROKT_BFF_TAG_ID": "b", "ROKT": 1, "SECRET_KEY": "c"}
    settings, problems = Settings.read(config)
    assert (settings.tag_id, problems) == ("b", {})


def test_every_problem_is_named_at_once() -> None:
    config = {
        "ROKT_BFF_TAG_ID": True,
        "ROKT_BFF_RESERVE_TIMEUOT": 3,
        "ROKT_BFF_API_URL": "http://api.rokt.com",
        "ROKT_BFF_MAX_LINES": 0,
        "ROKT_BFF_ORIGINS": "*",
        "ROKT_BFF_SANDBOX": "perhaps",
    }
    _, problems = Settings.read(config)
    assert sorted(problems) == sorted([*config, "ROKT_BFF_API_KEY"])
    assert all(text.startswith(f"{key} ") for key, text in problems.items())
    every = [*problems.values()]
    assert all(text in str(ConfigError(every)) for text in every)


def test_an_unknown_key_is_told_which_ones_there_are() -> None:
    (problem,) = problems(reserve_timeuot=3)
    assert "ROKT_BFF_RESERVE_TIMEUOT is not a setting" in problem
    assert "ROKT_BFF_RESERVE_TIMEOUT" in problem


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_required_setting_is_missing(value: str) -> None:
    assert [problem.split(":")[0] for problem in problems(api_key=value, tag_id=value)] == [
        "ROKT_BFF_API_KEY is missing",
        "ROKT_BFF_TAG_ID is missing",
    ]


def test_every_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "API_KEY": "key",
        "TAG_ID": "253439",  # JSON reads a number
        "SANDBOX": "true",
        "MAX_LINES": "7",
        "CONFIRM_TIMEOUT": "2.5",
        "RENEW_MARGIN": "30",
        "ORIGINS": '["https://a.example", "https://b.example:8443"]',
        "DEFAULT_CURRENCY": "EUR",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"FLASK_ROKT_BFF_{name}", value)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    assert Settings.read(app.config)[0] == Settings(
        api_key="key",
        tag_id="253439",
        sandbox=True,
        max_lines=7,
        confirm_timeout=2.5,
        renew_margin=30.0,
        origins=("https://a.example", "https://b.example:8443"),
        default_currency="EUR",
    )


@pytest.mark.parametrize("value", [12e5, True, None, ["a"], {"a": 1}])
def test_what_json_made_of_a_text_must_be_quoted(value: object) -> None:
    (problem,) = problems(tag_id=value)
    assert problem.startswith("ROKT_BFF_TAG_ID must be text")
    assert "quote it" in problem


@pytest.mark.parametrize("name", ["api_key", "tag_id", "server_key"])
@pytest.mark.parametrize("value", ["a\nb", "a b", "ключ", "a\x00"])
def test_what_no_header_can_carry_is_refused_and_not_repeated(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{PREFIX}{name.upper()} must have printable ASCII")
    assert value not in problem


@pytest.mark.parametrize("name", ["reserve_timeout", "confirm_timeout", "connect_timeout"])
def test_no_call_may_last_as_long_as_the_lease_it_is_made_under(name: str) -> None:
    assert timedelta(seconds=MAX_CALL_SECONDS) < LEASE
    assert getattr(read_settings(**{name: 20}), name) == MAX_CALL_SECONDS
    (problem,) = problems(**{name: 20.1})
    assert problem.startswith(f"{PREFIX}{name.upper()} ")
    assert "at most 20" in problem


@pytest.mark.parametrize("value", [0, -1, "soon", "nan", "inf", 1e300, 10**400, True, None, ""])
def test_a_time_is_a_number_of_seconds_above_zero_that_a_date_can_hold(value: object) -> None:
    (problem,) = problems(session_seconds=value)
    assert problem.startswith("ROKT_BFF_SESSION_SECONDS must be a number of seconds")


@pytest.mark.parametrize("value", [0, -1, 1.5, "2.0", "many", True, None, "9" * 40, 10**400])
def test_a_count_is_a_whole_number_of_at_least_one(value: object) -> None:
    (problem,) = problems(max_quantity=value)
    assert problem.startswith("ROKT_BFF_MAX_QUANTITY must be a whole number")


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (True, True),
        ("1", True),
        ("Yes", True),
        (" on ", True),
        (1, True),
        (False, False),
        ("0", False),
        ("no", False),
        ("OFF", False),
        ("", False),
        (0, False),
    ],
)
def test_a_switch_is_on_or_off(value: object, on: bool) -> None:
    assert read_settings(deliver=value).deliver is on


@pytest.mark.parametrize("value", ["perhaps", 2, None, []])
def test_anything_else_is_no_switch(value: object) -> None:
    assert problems(deliver=value) == ("ROKT_BFF_DELIVER must be true or false.",)


@pytest.mark.parametrize("code", ["$", "usd", "XAU", "Dollar"])
def test_the_default_currency_is_one_of_iso_4217(code: str) -> None:
    assert not is_currency(code)
    (problem,) = problems(default_currency=code)
    assert problem.startswith("ROKT_BFF_DEFAULT_CURRENCY must be a currency code")


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    secret = "hush-hush-hush-hush-hush-hush-hush"
    settings = read_settings(
        api_key=secret,
        server_key=secret,
        database_url=f"postgresql://u:{secret}@h/db",
        rate_limit_storage=f"redis://:{secret}@h",
    )
    assert secret not in repr(settings)
    assert secret not in str(settings)


def test_every_setting_says_what_it_is_about_and_has_a_sensible_default() -> None:
    for f in fields(Settings):
        assert f.metadata["about"].endswith("."), f.name
        if f.name not in ("api_key", "tag_id"):
            assert read_settings(**{f.name: f.default}) == read_settings(), (
                f"{f.name}: its default is read as such"
            )


def test_the_default_times_fit_together() -> None:
    settings = read_settings()
    assert settings.margin == timedelta(seconds=60)
    assert settings.connect_timeout < settings.reserve_timeout < settings.confirm_timeout
    assert settings.placements_timeout < 1
    assert settings.renew_margin > settings.confirm_timeout
    assert settings.confirm_deadline >= 72 * 3600
