"""Reads the properties of XMP packets, whatever encoding and state they are in.

Source: XMP part 1 (data model) and ISO 16684. Entities and document types are refused: they are
the way to bombs and to files of the reader's machine.
"""

import re
from dataclasses import dataclass

from defusedxml import DefusedXmlException, ElementTree

from realitycheck.images.text import decoded

MOST_PACKETS = 64
MOST_BYTES = 8 << 20  # of all packets of a file
_MOST_ELEMENTS = 20_000  # of a packet
_MOST_LOOSE = 1 << 20  # characters of a damaged packet that are searched
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# A packet may be followed by what a longer one left behind: only what is inside counts.
_START = re.compile(r"<(?:[\w.-]{1,40}:)?(xmpmeta|xapmeta|RDF)\b")
_ILLEGAL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Properties of a packet that is no XML: as attributes and as simple elements.
_ATTRIBUTE = re.compile(
    r"[\s<]([A-Za-z][\w.-]{0,40}):([A-Za-z]\w{0,60})\s?=\s?\"([^\"<]{0,4000})\""
)
_ELEMENT = re.compile(
    r"<([A-Za-z][\w.-]{0,40}):([A-Za-z]\w{0,60})[^<>]{0,200}>([^<]{1,4000})</\1:\2"
)


@dataclass(frozen=True)
class Property:
    """A property with one of its values.

    Attributes:
        space: address of its namespace; of a packet that is no XML, its prefix.
        name: without namespace.
        value: text, or the address that it refers to.
    """

    space: str
    name: str
    value: str


def properties(packets: list[bytes]) -> list[Property]:
    """The properties of packets, those within structures and lists too. Never raises."""
    found: list[Property] = []
    room = MOST_BYTES
    for packet in packets[:MOST_PACKETS]:
        text = _ILLEGAL.sub("", decoded(packet[:room]))
        room -= min(room, len(packet))
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            continue
        for piece in _pieces(text):
            found += _parsed(piece)
    return list(dict.fromkeys(found))


def _pieces(text: str) -> list[str]:
    """The parts of a text that are packets: up to eight."""
    pieces: list[str] = []
    at = 0
    while len(pieces) < 8 and (start := _START.search(text, at)):
        close = re.compile(r"</(?:[\w.-]{1,40}:)?" + start[1] + r"\s{0,9}>").search(
            text, start.end()
        )
        at = close.end() if close else len(text)
        pieces.append(text[start.start() : at])
    return pieces


class _EnoughError(Exception):
    """More elements than any honest packet has."""


class _Collector:
    """Takes what the parser meets, without building a tree."""

    def __init__(self) -> None:
        self.found: list[Property] = []
        self._names: list[str] = []  # the property that each open element belongs to
        self._texts: list[list[str]] = []
        self._seen = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._seen += 1
        if self._seen > _MOST_ELEMENTS:
            raise _EnoughError
        inside_rdf = tag.startswith(f"{{{_RDF}}}")
        self._names.append(self._names[-1] if inside_rdf and self._names else tag)
        self._texts.append([])
        for name, value in attributes.items():
            if name in (f"{{{_RDF}}}resource", f"{{{_RDF}}}value"):
                self._add(self._names[-1], value)
            elif not name.startswith((f"{{{_RDF}}}", "{http://www.w3.org/XML/")):
                self._add(name, value)

    def data(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def end(self, tag: str) -> None:
        self._add(self._names.pop(), "".join(self._texts.pop()))

    def close(self) -> None:
        pass

    def _add(self, tag: str, value: str) -> None:
        value = value.strip()
        space, _, name = tag.rpartition("}")
        if value and name:
            self.found.append(Property(space[1:], name, value))


def _parsed(text: str) -> list[Property]:
    collector = _Collector()
    parser = ElementTree.XMLParser(target=collector, encoding="utf-8", forbid_dtd=True)
    try:
        parser.feed(text.encode("utf-8"))
        parser.close()
    except (DefusedXmlException, _EnoughError, RecursionError):
        pass
    except (ElementTree.ParseError, ValueError) as error:
        error.__traceback__ = None  # it and the parser's frame hold each other
        return collector.found + _loose(text[:_MOST_LOOSE])
    return collector.found


def _loose(text: str) -> list[Property]:
    """Properties of a packet that is no XML: some are cut, some lack their namespaces."""
    found = [*_ATTRIBUTE.findall(text), *_ELEMENT.findall(text)]
    return [
        Property(space, name, value.strip()) for space, name, value in found[:500] if value.strip()
    ]
