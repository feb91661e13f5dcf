"""What a file itself says about its origin: evidence beside the pixels, never mixed with them.

Metadata is easily removed and easily forged, so nothing here moves a probability, and finding
nothing proves nothing. Only the places that a format's standard names are read: bytes appended to
a file mean nothing. Position, serial numbers and names of people are not read.

| room | reads |
|---|---|
| `containers` | what lies beside the pixels of a file, still packed |
| `exif`, `tiff`, `xmp`, `iptc` | tags, properties, IPTC's vocabulary and credit lines |
| `generators` | settings that generators leave: the room to add one |
| `stealth` | such settings that are hidden in pixels: `reading` asks for them |
| `credentials` | Content Credentials (C2PA) |
"""

import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from realitycheck.images import containers, credentials, exif, generators, iptc, text, xmp
from realitycheck.images.xmp import Property
from realitycheck.wording import ENGLISH, FORGEABLE, KEPT_ELSEWHERE, Language

SUMMARY = 200  # characters
_ORDER = ("ai", "camera", "edited")
_BUT = "but parts or versions"
_DATA = "XMP, IPTC {}"
_NO_SYSTEM = re.compile(r"(?i)\W*(?:none|no|n/?a|not? (?:applicable|used|ai)|nil|false|0)?\W*$")
_CREDIT = {"credit": "Credit", "source": "Source", "creator": "Creator"}


@dataclass(frozen=True)
class Finding:
    """One thing a file says.

    Attributes:
        says: in plain words.
        where: the container it was found in.
        points_to: "ai", "camera" or "edited".
        trust: how far it can be trusted, in a sentence.
        generator: the program or service that made the picture, where it is named, or "".
        prompt: the beginning of what it was asked for, or "".
    """

    says: str
    where: str
    points_to: str
    trust: str = FORGEABLE
    generator: str = ""
    prompt: str = ""

    def report(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)


def examine(data: bytes | None, hidden: Iterable[tuple[str, str, str]] = ()) -> list[Finding]:
    """Reads what a picture file says about its origin.

    Args:
        data: the file's bytes as they came; None where only pixels are known.
        hidden: what its pixels hold, see `images.Picture`.

    Returns:
        What was found, AI markers first. Never raises: damaged metadata is no finding.
    """
    found = containers.metadata(data or b"")
    found.texts += hidden
    tags = exif.tags(found)
    properties = xmp.properties(found.xmp)
    records = [record for block in found.iptc for record in iptc.records(block)]
    declared = None if found.crowded or not data else credentials.read(data, found.container)
    findings = [
        *(_credentials(declared) if declared else ()),
        *_source_types(properties),
        *_ai_fields(properties),
        *_generators(found, tags, properties, records),
        *_credit_lines(found, tags, properties, records),
        *_labels(found, tags, properties),
        *(() if declared else _kept_elsewhere(properties)),
        *_camera(tags),
    ]
    ordered = sorted(dict.fromkeys(findings), key=lambda one: _ORDER.index(one.points_to))
    return [_beside_ai(one, ordered) for one in ordered]


def reads_credentials() -> bool:
    """Whether Content Credentials (C2PA) are looked for: it takes a package."""
    return importlib.util.find_spec("c2pa") is not None


def _beside_ai(finding: Finding, all_: list[Finding]) -> Finding:
    """A camera is never named without a word of what points to an AI."""
    ai = any(one.points_to == "ai" for one in all_)
    if finding.points_to != "camera" or not ai or _BUT in finding.says:
        return finding
    return replace(finding, says=f"{finding.says} Something else in the file points to an AI.")


def summary(findings: list[Finding], words: Language = ENGLISH) -> str:
    """What a file says about its origin, short enough for a table; "" where it says nothing."""
    if not findings:
        return ""
    first, *others = findings
    said = words.said(first.says.removesuffix(_prompt_sentence(first.prompt)))
    said = said.removeprefix(words.THE_FILE)
    said = said[:1].upper() + text.shown(said[1:], SUMMARY)
    return said + (words.MORE.format(len(others)) if others else "")


# --- Content Credentials --------------------------------------------------------------------


def _credentials(found: credentials.Credentials) -> Iterator[Finding]:
    broken = found.state == credentials.BROKEN
    name = "broken Content Credentials" if broken else "Content Credentials"
    by = f" written by {found.program}" if found.program else ""
    if not found.declarations:
        says = f"The file carries {name}{by}; they declare no origin that is known here."
        yield Finding(says, "C2PA manifest", "edited", found.trust)
    ai = any(iptc.declared(one.source_type)[1] == "ai" for one in found.declarations)
    for declaration in found.declarations:
        kind, points_to, words = iptc.declared(declaration.source_type)
        by = f" written by {declaration.program}" if declaration.program else ""
        whose = {
            credentials.ACTIVE: "",
            credentials.EARLIER: " of an earlier version",
            credentials.PART: " of a part of it",
        }[declaration.role]
        if kind not in iptc.SOURCE_TYPES:
            says = f"The file carries {name}{whose}{by}; they declare no origin that is known here."
            points_to = "edited"
        else:
            says = f"The file, in {name}{whose}{by}, declares {words} ({kind})"
            says += f", with {declaration.agent}" if declaration.agent else ""
            if declaration.afterwards:
                says += f"; afterwards: {', '.join(declaration.afterwards[:6])}"
            if ai and points_to == "camera":
                says += f"; {_BUT} of it are declared to be made by a generative AI"
            says += "."
        named = (declaration.agent or declaration.program) if points_to == "ai" else ""
        # A broken declaration is evidence of a change alone.
        points_to = "edited" if broken else points_to
        yield Finding(says, "C2PA manifest", points_to, found.trust_in(declaration.role), named)


def _kept_elsewhere(properties: Iterable[Property]) -> Iterator[Finding]:
    """Credentials on a server: said, and never fetched, for whoever wrote the file names it."""
    for found in properties:
        if found.name == "provenance" and re.match(r"(?i)\s*https?:", found.value):
            yield Finding(KEPT_ELSEWHERE, "XMP, dcterms provenance", "edited")
            return


# --- XMP and IPTC ---------------------------------------------------------------------------


def _source_types(properties: Iterable[Property]) -> Iterator[Finding]:
    for found in properties:
        if found.name.lower() != "digitalsourcetype":
            continue
        kind, points_to, words = iptc.declared(found.value)
        if kind:
            says = f"The file declares {words} ({kind})."
            yield Finding(says, _DATA.format("DigitalSourceType"), points_to)


def _ai_fields(properties: Iterable[Property]) -> Iterator[Finding]:
    """The fields that IPTC added in 2025.1. Who wrote a prompt is a person, and is not shown."""
    fields: dict[str, str] = {}
    for found in properties:
        key = found.name.lower()
        if key.startswith("ai") and not _NO_SYSTEM.match(found.value):
            fields.setdefault(key, found.value)
    system, prompt = fields.get("aisystemused", ""), fields.get("aipromptinformation", "")
    if not (system or prompt or "aipromptwritername" in fields):
        return
    named = text.name(f"{system} {fields.get('aisystemversionused', '')}" if system else "")
    says = "The file names the AI system that made it" if named else "The file holds an AI's prompt"
    says += f": {named}." if named else "."
    yield _with_prompt(says, _DATA.format("AI fields"), named, prompt)


def _credit_lines(
    found: containers.Metadata,
    tags: exif.Tags,
    properties: Iterable[Property],
    records: Iterable[tuple[str, str]],
) -> Iterator[Finding]:
    lines = [
        ("XMP", _CREDIT[one.name.lower()], one.value)
        for one in properties
        if one.name.lower() in _CREDIT
    ]
    lines += [("IPTC", name, value) for name, value in records if name in iptc.CREDITS]
    lines += [
        (place, key, value)
        for place, key, value in found.texts
        if key.lower() in ("credit", "author", "artist", "creator", "source")
    ]
    lines += [("EXIF", key, value) for key, value in tags.texts.items() if key == "Artist"]
    for place, name, line in lines:
        if iptc.says_ai(line):
            says = f"The file's credit line says that an AI made it: “{text.shown(line, 80)}”."
            yield Finding(says, f"{place}, {name}", "ai", generator=iptc.generator_named(line))


def _labels(
    found: containers.Metadata, tags: exif.Tags, properties: Iterable[Property]
) -> Iterator[Finding]:
    """The mark that Chinese services must write (GB 45438-2025): AIGC, with a Label of 1 to 3."""
    notes = [("XMP", one.value) for one in properties if one.name == "AIGC"]
    notes += [(place, value) for place, key, value in found.texts if key == "AIGC"]
    notes += [("EXIF", value) for value in tags.texts.values() if '"AIGC"' in value[:200]]
    for place, value in notes:
        label = re.search(r"\"Label\"\s*:\s*\"?([123])\b", value[:4000])
        if label is None:
            continue
        sure = label[1] == "1"
        says = "is" if sure else "may be"
        says = f"The file carries the mark of a service (AIGC) that it {says} made by an AI."
        yield Finding(says, f"{place}, AIGC", "ai" if sure else "edited")


# --- settings of generators -----------------------------------------------------------------


def _generators(
    found: containers.Metadata,
    tags: exif.Tags,
    properties: Iterable[Property],
    records: Iterable[tuple[str, str]],
) -> Iterator[Finding]:
    notes = [
        *found.texts,
        *(("EXIF", key, value) for key, value in tags.texts.items()),
        *(("XMP", one.name, one.value) for one in properties),
        *(("IPTC", key, value) for key, value in records),
    ]
    best: dict[tuple[str, str], Finding] = {}
    for note, settings in generators.recognise(notes):
        where = f'{note.place}, "{text.name(note.key)}"'
        says = f"The file holds the settings of a picture made with {settings.program}."
        if settings.name_alone:
            says = f"The file says that it was made with the generator {settings.program}."
        finding = _with_prompt(says, where, settings.program, settings.prompt)
        known = best.get((note.place, settings.program))
        # A program often writes the same in several texts: one is enough, best with a prompt.
        if known is None or (finding.prompt and not known.prompt):
            best[note.place, settings.program] = finding
    yield from best.values()


def _with_prompt(says: str, where: str, generator: str, prompt: str) -> Finding:
    prompt = text.shown(prompt)
    says += _prompt_sentence(prompt)
    return Finding(says, where, "ai", generator=generator, prompt=prompt)


def _prompt_sentence(prompt: str) -> str:
    quoted = prompt.strip('“”" ')
    return f" It was asked for “{quoted}”." if quoted else ""


# --- cameras --------------------------------------------------------------------------------


def _camera(tags: exif.Tags) -> Iterator[Finding]:
    names = [tags.texts.get(key, "") for key in ("Make", "Model")]
    if not all(names) or any("{" in name for name in names):
        return
    make, model = (re.sub(r"[^\w .+/()-]", "", name)[:40] for name in names)
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    words = f"The file names a camera, {camera}"
    words += ", and its exposure." if tags.exposed else ", without any exposure."
    yield Finding(words, "EXIF", "camera")
