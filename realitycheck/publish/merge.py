"""A new card in place of an old one, without losing what its owner made of that on the Hub.

Each of our sections lies between marks: HTML comments, which no page shows. A comment at the end
holds checksums of every section and every entry of the metadata as they were written. What no
longer has its checksum was edited; it stays, like everything outside the marks.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_BLOCK = re.compile(r"\A\s*---[ \t]*\n(.*?)(?:(?<=\n)|\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"^[A-Za-z_][\w.-]*(?=[ \t]*:)", re.MULTILINE)
_MARKED = re.compile(r"<!-- realitycheck: ([\w-]+) -->\n(.*?)\n<!-- /realitycheck -->", re.DOTALL)
_WROTE = re.compile(r"<!-- realitycheck wrote (\{.*?\}) -->", re.DOTALL)
_ABOUT = "about"  # key of the section under the card's title


@dataclass(frozen=True)
class Merged:
    """A card that can be published.

    Attributes:
        text: the whole file.
        kept: what stays as its owner edited it: headings, and keys of the metadata.
    """

    text: str
    kept: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """A part of a card's text; `key` is None for what others wrote."""

    key: str | None
    text: str


@dataclass
class _Card:
    """A card in parts; `wrote` holds the checksums, of "section KEY" and of "metadata KEY"."""

    metadata: dict[str, str]
    pieces: list[_Piece]
    marked: bool = False
    wrote: dict[str, str] = field(default_factory=dict)


def merge(
    ours: str, theirs: str | None, base: str | None = None, forced: Collection[str] = ()
) -> Merged:
    """Puts a new card in place of the one on the Hub.

    Args:
        ours: the new card.
        theirs: the card that is there; None for none.
        base: how we wrote that one, for cards of before there were marks; None if unknown, and
            then what differs counts as edited.
        forced: keys of the metadata that are ours whatever was edited.
    """
    new = _parse(ours, marks=False)
    old = _parse(theirs or "")
    if not old.marked:
        old = _recognised(old, new, _parse(base or "", marks=False))
    # Where nothing of ours is left, somebody wrote another card: ours is added to it, not merged.
    if not any(piece.key for piece in old.pieces):
        old.wrote = {k: v for k, v in old.wrote.items() if not k.startswith("section ")}
    if not old.metadata:
        old.wrote = {k: v for k, v in old.wrote.items() if not k.startswith("metadata ")}
    kept: list[str] = []
    wrote: dict[str, str] = {}
    pieces = _sections(old, new, wrote, kept)
    entries = dict(_entries(old, new, wrote, kept, forced))
    return Merged(_text(entries, pieces, wrote), tuple(kept))


def _parse(text: str, *, marks: bool = True) -> _Card:
    """A card in parts: by its marks, or by its headings where it has none or they do not count."""
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    block = _BLOCK.match(text)
    body = text[block.end() :] if block else text
    metadata = _split_metadata(block[1]) if block else {}
    if block and not _readable(block[0]):  # nobody could publish it again
        metadata, body = {}, f"<!-- unreadable metadata:\n{block[1]}\n-->\n\n{body}"
    record = _WROTE.search(body)
    body = _WROTE.sub("", body)
    if not (marks and _MARKED.search(body)):
        return _Card(metadata, list(_by_heading(_MARKED.sub(r"\2", body))))
    pieces, start = [], 0
    for found in _MARKED.finditer(body):
        pieces += [_Piece(None, body[start : found.start()]), _Piece(found[1], found[2])]
        start = found.end()
    pieces.append(_Piece(None, body[start:]))
    pieces = [_Piece(p.key, p.text.strip("\n")) for p in pieces if p.text.strip()]
    return _Card(metadata, pieces, True, _checksums(record[1]) if record else {})


def _readable(block: str) -> bool:
    from huggingface_hub import RepoCard

    try:
        RepoCard(block)
    except Exception:  # of the YAML library, which is not ours to know
        return False
    return True


def _checksums(text: str) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(text).items()}
    except ValueError:  # edited too: then every section counts as edited
        return {}


def _split_metadata(block: str) -> dict[str, str]:
    """Top-level key to the lines of its entry, which are kept as they are."""
    starts = [(found.start(), found[0]) for found in _ENTRY.finditer(block)]
    ends = [start for start, _ in starts[1:]] + [len(block)]
    entries = {
        key: block[start:end].rstrip() for (start, key), end in zip(starts, ends, strict=True)
    }
    before = block[: starts[0][0] if starts else len(block)].rstrip()  # comments
    return {"": before, **entries} if before else entries


def _by_heading(body: str) -> Iterator[_Piece]:
    """Parts of a text without marks, each from a heading of the first two levels to the next."""
    parts: list[list[str]] = [[]]
    fenced = False
    for line in body.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if not fenced and re.match(r"##? \S", line):
            parts.append([])
        parts[-1].append(line)
    seen: dict[str, int] = {}
    for lines in parts:
        text = "\n".join(lines).strip("\n")
        if text.strip():
            key = _key(lines[0])
            seen[key] = seen.get(key, 0) + 1
            yield _Piece(f"{key}-{seen[key]}" if seen[key] > 1 else key, text)


def _key(heading: str) -> str:
    if heading.startswith("# "):
        return _ABOUT
    name = re.sub(r"\W+", "-", heading.lower()).strip("-") if heading.startswith("## ") else ""
    return name or "text"


def _recognised(old: _Card, new: _Card, base: _Card) -> _Card:
    """An old card without marks, as if we had marked it when we wrote it."""
    wrote = {f"section {piece.key}": _digest(piece.text) for piece in base.pieces if piece.key}
    wrote |= {f"metadata {key}": _digest(lines) for key, lines in base.metadata.items()}
    ours = {piece.key for piece in [*base.pieces, *new.pieces]}
    pieces = [_Piece(p.key if p.key in ours else None, p.text) for p in old.pieces]
    return _Card(old.metadata, pieces, True, wrote)


def _digest(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def _sections(old: _Card, new: _Card, wrote: dict[str, str], kept: list[str]) -> list[_Piece]:
    ours = {piece.key: piece.text for piece in new.pieces if piece.key}
    pieces: list[_Piece] = []
    for piece in old.pieces:
        if piece.key is None:
            pieces.append(piece)
            continue
        name, text = f"section {piece.key}", ours.get(piece.key)
        if _digest(piece.text) not in (old.wrote.get(name), text and _digest(text)):
            wrote[name] = old.wrote.get(name, "")
            kept.append(_heading(piece.text))
            pieces.append(piece)
        elif text is not None:
            wrote[name] = _digest(text)
            pieces.append(_Piece(piece.key, text))
    _add_new_sections(pieces, ours, old, wrote, kept)
    return pieces


def _add_new_sections(
    pieces: list[_Piece], ours: dict[str, str], old: _Card, wrote: dict[str, str], kept: list[str]
) -> None:
    """Each goes behind the one that it follows in our card."""
    position = next((n for n, p in enumerate(pieces) if p.key in ours), len(pieces))
    for key, text in ours.items():
        place = next((n for n, piece in enumerate(pieces) if piece.key == key), None)
        name = f"section {key}"
        if place is not None:
            position = place + 1
        elif name in old.wrote:  # somebody took it out
            wrote[name] = old.wrote[name]
            kept.append(f"{_heading(text)} (removed)")
        elif not any(piece.key is None and text in piece.text for piece in pieces):
            wrote[name] = _digest(text)
            pieces.insert(position, _Piece(key, text))
            position += 1


def _heading(text: str) -> str:
    return text.strip().splitlines()[0].lstrip("# ")


def _entries(
    old: _Card, new: _Card, wrote: dict[str, str], kept: list[str], forced: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The metadata: key to the lines of its entry."""
    for key in [*old.metadata, *(key for key in new.metadata if key not in old.metadata)]:
        name, theirs, ours = f"metadata {key}", old.metadata.get(key), new.metadata.get(key)
        before = old.wrote.get(name)
        same = theirs is not None and _digest(theirs) in (before, ours and _digest(ours))
        if key in forced or same or (theirs is None and before is None):
            if ours is not None:
                wrote[name] = _digest(ours)
                yield key, ours
            continue
        if before is not None or ours is not None:
            wrote[name] = before or ""
            kept.append(key if theirs is not None else f"{key} (removed)")
        if theirs is not None:
            yield key, _with_our_results(theirs, ours) if key == "model-index" else theirs


def _with_our_results(theirs: str, ours: str | None) -> str:
    """An edited `model-index` with our figures in place of older ones about the same."""
    from huggingface_hub import CardData, RepoCard
    from huggingface_hub.repocard_data import (
        eval_results_to_model_index,
        model_index_to_eval_results,
    )

    if ours is None:
        return theirs
    try:
        name, new = model_index_to_eval_results(_index(RepoCard(f"---\n{ours}\n---\n")))
        _, old = model_index_to_eval_results(_index(RepoCard(f"---\n{theirs}\n---\n")))
    except (ValueError, KeyError, TypeError, AttributeError):  # not as the Hub wants it
        return theirs
    known = {(result.unique_identifier, result.metric_type) for result in new}
    others = [r for r in old if (r.unique_identifier, r.metric_type) not in known]
    index = eval_results_to_model_index(name, [*new, *others])
    data = CardData()
    data["model-index"] = index
    text = str(data.to_yaml()).rstrip()
    # YAML that is written anew has no comments: those on a line of their own follow at its end.
    there = {line.strip() for line in text.splitlines()}
    lines = [line for line in theirs.splitlines() if line.lstrip().startswith("#")]
    return "\n".join([text, *(line for line in lines if line.strip() not in there)])


def _index(card: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = card.data.to_dict()["model-index"]  # type: ignore[attr-defined]
    return found


def _text(entries: dict[str, str], pieces: list[_Piece], wrote: dict[str, str]) -> str:
    parts = [
        piece.text
        if piece.key is None
        else f"<!-- realitycheck: {piece.key} -->\n{piece.text}\n<!-- /realitycheck -->"
        for piece in pieces
    ]
    parts.append(f"<!-- realitycheck wrote {json.dumps(wrote, sort_keys=True)} -->")
    block = ["---", *entries.values(), "---"] if entries else []
    return "\n".join(block) + ("\n" if block else "") + "\n\n".join(parts) + "\n"
