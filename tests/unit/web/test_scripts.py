"""A release's name and its tags."""

from __future__ import annotations

import pytest

from bff.web.scripts import Release

ONE = Release({"bridge.js": b"1", "b.js": b"2"})


@pytest.mark.parametrize(
    "scripts",
    [{"bridge.js": b"1"}, {"bridge.js": b"1", "b.js": b"3"}, {"bridge.js": b"2", "b.js": b"1"},
     {"bridge.js": b"1", "c.js": b"2"}, {"bridge.js": b"12", "b.js": b""}],
)  # fmt: skip
def test_any_byte_and_any_name_makes_another_release(scripts: dict[str, bytes]) -> None:
    assert Release(scripts).name != ONE.name


def test_the_order_of_the_files_makes_no_other_release() -> None:
    assert Release({"b.js": b"2", "bridge.js": b"1"}).name == ONE.name


def test_the_bridge_gets_a_script_and_other_modules_a_link() -> None:
    tag = ONE.script_tag("bridge.js", "/rokt", data={"guard": "#continue"})
    assert tag.startswith('<script type="module" async ')
    assert 'data-rokt-bff="/rokt" data-guard="#continue"' in tag
    for link in (
        ONE.script_tag("b.js", "/rokt"),
        ONE.script_tag("bridge.js", "/rokt", preload=True),
    ):
        assert link.startswith('<link rel="modulepreload" ')
    for script in ONE.scripts:
        assert f'integrity="{ONE.integrity(script)}"' in ONE.script_tag(script, "/rokt")
        assert f'="/rokt/static/{ONE.name}/{script}"' in ONE.script_tag(script, "/rokt")


def test_nothing_breaks_out_of_a_tag() -> None:
    evil = ONE.script_tag("bridge.js", '"><script>alert(1)</script>', data={"guard": '"><script>'})
    assert evil.count("<script") == 1


def test_a_script_that_there_is_not_has_no_tag() -> None:
    with pytest.raises(KeyError):
        ONE.script_tag("c.js", "/rokt")
