"""Frames, whatever way the stream of bytes is cut."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartsim.engine.supervisor import protocol

STEADY = settings(deadline=None)
TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


@STEADY
@given(MESSAGES, st.lists(st.integers(0, 10_000), max_size=20))
def test_messages_survive_any_cut(messages, places):
    stream = b"".join(map(protocol.encode, messages))
    decoder = protocol.Decoder()
    assert [message for part in cut(stream, places) for message in decoder.feed(part)] == messages


@STEADY
@given(st.binary(), st.lists(st.integers(0, 10_000), max_size=10))
def test_any_bytes_are_messages_or_an_error(data, places):
    decoder = protocol.Decoder()
    try:
        found = [message for part in cut(data, places) for message in decoder.feed(part)]
    except protocol.ProtocolError:
        return
    assert all(isinstance(message, dict) for message in found)


@STEADY
@given(MESSAGES.filter(bool), st.integers(0, 10_000))
def test_torn_stream_gives_the_whole_messages_before(messages, place):
    stream = b"".join(map(protocol.encode, messages))
    found = list(protocol.Decoder().feed(stream[: place % len(stream)]))
    assert found == messages[: len(found)]
    assert len(found) < len(messages)


@STEADY
@given(st.binary())
def test_words_that_are_not_utf8_pass(word):
    text = word.decode("utf-8", "surrogateescape")
    (message,) = protocol.Decoder().feed(protocol.encode({"argv": [text]}))
    assert message["argv"][0].encode("utf-8", "surrogateescape") == word


def test_frames_have_a_limit():
    with pytest.raises(protocol.ProtocolError, match="limit"):
        protocol.frame(b"x" * (protocol.MAX_FRAME + 1))
    with pytest.raises(protocol.ProtocolError, match="limit"):
        list(protocol.Decoder().feed(struct.pack(">I", protocol.MAX_FRAME + 1)))
