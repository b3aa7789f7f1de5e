"""Parameter tags: what is replaced, and what stays exactly as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smartsim.generation.tags import DEFAULT_TAG, checked_tag, parse

texts = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("\r\n;"))
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
plain = st.text(st.characters(exclude_categories=("Cs",), exclude_characters=";\r\n"))
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters=";\r\n"), min_size=1)
tags = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), min_size=1, max_size=3)


def replaced(text: str, params: dict[str, str], tag: str = DEFAULT_TAG) -> str:
    return parse(text, params, tag).render(params)


@given(texts, st.dictionaries(names, texts), tags)
def test_a_text_without_tags_is_unchanged(text, params, tag):
    assume(text.count(tag) < 2)
    assert replaced(text, params, tag) == text


@given(st.lists(st.tuples(plain, names)), plain, line_ends, st.data())
def test_every_known_tag_is_replaced_by_its_value(pieces, rest, end, data):
    """Values are anything at all, tags included, and are not looked into."""
    params = data.draw(st.fixed_dictionaries({name: texts for _, name in pieces}))
    text = "".join(f"{before};{name};{end}" for before, name in pieces) + rest
    expected = "".join(f"{before}{params[name]}{end}" for before, name in pieces) + rest
    template = parse(text, params)
    assert template.render(params) == expected
    assert template.unknown == {}
    assert list(template.names) == list(dict.fromkeys(name for _, name in pieces))


@given(st.lists(st.tuples(plain, names, st.booleans()), max_size=5), plain, texts)
def test_an_unknown_tag_costs_only_itself(pieces, rest, value):
    known = {name for _, name, is_known in pieces if is_known}
    params = dict.fromkeys(known, value)
    text = "".join(f"{before} ;{name};" for before, name, _ in pieces) + rest
    assume(not any(name in known for before, _, _ in pieces for name in [f"{before} "]))
    expected = "".join(f"{before} {value if name in known else name}" for before, name, _ in pieces) + rest
    assert replaced(text, params) == expected


@given(st.lists(st.tuples(plain, names)), plain)
def test_what_became_of_unknown_tags_stays(pieces, rest):
    text = "".join(f"{before} ;{name}; " for before, name in pieces) + rest
    once = replaced(text, {})
    assert ";" not in once
    assert replaced(once, {}) == once


@given(texts, tags)
def test_any_text_can_be_parsed_and_is_put_together_again(text, tag):
    template = parse(text, (), tag)
    assert template.names == ()
    assert len(template.render({})) <= len(text)
    assert text.split("\n")[0].count(tag) > 1 or "\n" in text or "\r" in text or template.render({}) == text


@given(tags, st.text("abc", min_size=1), plain)
def test_custom_tags_are_literal_and_take_as_little_as_they_can(tag, name, value):
    assume(not set(tag) & set("abc "))
    text = f"x = {tag}{name}{tag} {tag}{name}{tag} {tag}"
    assert replaced(text, {name: value}, tag) == f"x = {value} {value} {tag}"


@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        ("x = ;A;", ";", "x = 1"),
        ("x = ;A;;B;", ";", "x = 12"),
        ("x = 1; y = ;A;", ";", "x = 1; y = 1"),
        ("x = ;U; ;A; ;V; ;B;", ";", "x = U 1 V 2"),
        ("x = ;A; \n y = ; ;B;\r\n", ";", "x = 1 \n y = ; 2\r\n"),
        (";\n;", ";", ";\n;"),
        (";;", ";", ";;"),
        (";A", ";", ";A"),
        ("; A ;", ";", " A "),
        ("@A@ .A. ;A;", "@", "1 .A. ;A;"),
        ("xAy .A.", ".", "xAy 1"),
        ("%%A%% %A%", "%%", "1 %A%"),
        ("(A( [A[ \\A\\", "\\", "(A( [A[ 1"),
        ("$A$^A^", "$", "1^A^"),
        ("A;A;A", ";", "A1A"),
        ("\ufeff;A;", ";", "\ufeff1"),
        (";C;", ";", ";A;"),
        (";a\u2028b;", ";", "line"),
        (";\\1;", ";", "\\g<0>"),
    ],
)
def test_table(text: str, tag: str, expected: str):
    params = {
        "A": "1",
        "B": "2",
        "C": ";A;",
        "a\u2028b": "line",
        "\\1": "\\g<0>",
        "": "empty",
        "x;y": "never",
        "p\nq": "no",
    }
    assert replaced(text, params, tag) == expected


def test_lines_of_unknown_tags():
    text = ";A; ;u;\n;v; ;u; ;u;\r\nplain\r;u;\n;A;\n;u;"
    template = parse(text, ["A"])
    assert template.unknown == {"u": (1, 2, 4, 6), "v": (2,)}
    assert template.names == ("A",)


def test_hundreds_of_parameters():
    params = {f"p{index}": str(index) for index in range(500)}
    text = "\n".join(f"{name} = ;{name};" for name in params)
    assert replaced(text, params) == re.sub(";p(\\d+);", "\\1", text)


@pytest.mark.parametrize("tag", [None, ""])
def test_the_default_tag(tag):
    assert checked_tag(tag) == ";"


@pytest.mark.parametrize(
    ("tag", "error"), [(7, TypeError), (b";", TypeError), ("\n", ValueError), ("a\rb", ValueError)]
)
def test_tags_that_are_refused(tag, error):
    with pytest.raises(error, match="tag"):
        checked_tag(tag)
