"""JSON of any form is read without an error."""

from __future__ import annotations

from typing import Any

from bff.rokt.json_values import error_texts, member, objects, texts


def test_texts_are_found_to_a_bounded_depth() -> None:
    deep: Any = "a"
    for _ in range(2000):
        deep = [deep]
    assert list(texts([[["a"]], {"b": ("c", 1, None)}])) == ["a", "c"]
    assert list(texts(deep)) == []


def test_what_is_not_a_list_has_no_objects_and_what_is_not_an_object_no_members() -> None:
    assert objects([{"a": 1}, "b", [{}]]) == [{"a": 1}]
    assert objects({"a": 1}) == []
    assert member([1], "a") is None


def test_without_errors_the_description_speaks() -> None:
    errors = [{"code": "A", "message": "b", "value": "c"}, {"code": 7}, "d"]
    assert error_texts({"description": "e", "errors": errors}) == ["A b", ""]
    assert error_texts({"description": "e", "errors": []}) == ["e"]
    assert error_texts("e") == [""]
