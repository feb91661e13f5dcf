"""Merging cards: whatever was written on the Hub is still there afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saving import config_of

from realitycheck import checkpoints
from realitycheck.publish import card
from realitycheck.publish.merge import merge

NEW = card.text(config_of("resnet50", version="5"), checkpoints.load().record())
PUBLISHED = merge((checkpoints.BUNDLE / "README.md").read_text(encoding="utf-8"), None).text
OLD = (checkpoints.BUNDLE / "README.md").read_text(encoding="utf-8")
BODY = PUBLISHED.index("# RealityCheck")

lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
prefixes = st.sampled_from(["", "## ", "# ", "- ", "| ", "> ", "```\n", "    "])


def in_lines(text: str, position: float, added: str) -> str:
    parts = text.splitlines(keepends=True)
    place = round(position * len(parts))
    return "".join([*parts[:place], added + "\n", *parts[place:]])


@given(st.floats(0, 1), prefixes, lines)
def test_a_line_that_was_added_anywhere_stays(position, prefix, line):
    added = prefix + line
    theirs = PUBLISHED[: BODY - 40] + in_lines(PUBLISHED[BODY - 40 :], position, f"\n{added}\n")
    once = merge(NEW, theirs)
    assert added in once.text
    assert merge(NEW, once.text).text == once.text
    assert added in merge(OLD, once.text).text


@given(st.floats(0, 1), prefixes, lines)
def test_a_line_that_was_added_to_a_card_without_marks_stays(position, prefix, line):
    start = OLD.index("# RealityCheck")
    theirs = OLD[:start] + in_lines(OLD[start:], position, f"\n{prefix}{line}\n")
    for base in (OLD, None):
        assert prefix + line in merge(NEW, theirs, base).text


@given(st.text(), st.text())
def test_any_text_merges(ours, theirs):
    once = merge(ours, theirs).text
    assert merge(ours, once).text == once


@pytest.mark.parametrize("end", ["\r\n", "\n\n", " \n"])
def test_other_line_ends_are_no_edit(end):
    assert merge(NEW, PUBLISHED.replace("\n", end) if end == "\r\n" else PUBLISHED + end).kept == ()


@pytest.mark.parametrize("comment", ["# checked by hand", "  # so far", "## 0"])
def test_a_comment_among_the_results_stays(comment):
    """Figures that are ours are put into an edited list of results, which is written anew."""
    theirs = PUBLISHED.replace("\n---\n", f"\n{comment}\n---\n", 1)
    assert PUBLISHED[:BODY].rindex("model-index:") > PUBLISHED[:BODY].rindex("tags:")  # the last
    once = merge(NEW, theirs).text
    assert f"\n{comment}\n" in once
    assert merge(NEW, once).text == once
    assert f"\n{comment}\n" in merge(OLD, once).text


def test_lines_of_a_text_that_look_like_comments_are_not_repeated():
    theirs = PUBLISHED.replace("      split: test\n", '      split: "a\n\n        # b"\n', 1)
    assert theirs != PUBLISHED
    for _ in range(3):
        theirs = merge(NEW, theirs).text
    assert theirs.count("# b") <= 2


def test_metadata_stays_as_it_was_written():
    theirs = PUBLISHED.replace(
        "license: other", "# ours\nlanguage: no\nextra: 1.10  # as it is\nlicense: 'mit'"
    )
    text = merge(NEW, theirs).text
    for line in ("language: no", "extra: 1.10  # as it is", "license: 'mit'"):
        assert f"\n{line}\n" in text
