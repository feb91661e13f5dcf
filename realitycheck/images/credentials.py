"""Reads C2PA manifests ("Content Credentials"): what they declare, and how far the signature holds.

The optional package c2pa-python does the reading. It is imported on the first use only.
"""

import functools
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from realitycheck.images.formats import READ_ERRORS
from realitycheck.images.iptc import generator_named, source_type
from realitycheck.images.text import name

_log = logging.getLogger(__name__)

# Pillow's names of the containers that are looked into, and what C2PA calls them.
_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
}
# By default the library asks servers that an upload names, for a manifest kept elsewhere or for
# the key of an identity. Identities name people, and a doubtful one would make the whole manifest
# invalid: they are left alone.
_OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
}
TRUSTED, INTACT, BROKEN = "trusted", "intact", "broken"
_STATES = {"Trusted": TRUSTED, "Valid": INTACT}
_TRUST = {
    TRUSTED: "Signature intact, and the signer is on the trust list.",
    INTACT: "Signature intact, signer not verified: {}anybody can sign, in any name, so who did is "
    "not established.",
    BROKEN: "Signature broken: the file was changed after it was signed, or the signature has "
    "expired or never was good. What is declared may not belong to these pixels.",
}


ACTIVE, EARLIER, PART = "active", "earlier", "part"
_MOST_MANIFESTS = 100
_MOST_VALUES = 20_000  # of a manifest that are looked at
_AFTERWARDS = {  # C2PA's actions, in words
    "c2pa.color_adjustments": "colours adjusted",
    "c2pa.converted": "converted",
    "c2pa.cropped": "cropped",
    "c2pa.cropping": "cropped",
    "c2pa.drawing": "drawn on",
    "c2pa.edited": "edited",
    "c2pa.enhanced": "enhanced",
    "c2pa.filtered": "filtered",
    "c2pa.orientation": "turned",
    "c2pa.placed": "something placed in it",
    "c2pa.resized": "resized",
    "c2pa.transcoded": "saved anew",
    "c2pa.watermarked": "watermarked",
}


@dataclass(frozen=True)
class Declaration:
    """What one version or part of a picture is declared to be.

    Attributes:
        source_type: IPTC's digital source type, as it stands there.
        role: ACTIVE (the file as it is), EARLIER (a version it was made from) or PART (something
            placed in it, or handed to it).
        program: what wrote the declaration, made harmless, or "".
        agent: the model or tool that it names, made harmless, or "".
        afterwards: what later versions say was done, in words.
    """

    source_type: str
    role: str
    program: str
    agent: str = ""
    afterwards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Credentials:
    """What the manifests of a file declare.

    Attributes:
        state: TRUSTED, INTACT (by a signer who is on no trust list) or BROKEN.
        declarations: of the file, its earlier versions and its parts, nearest first.
        program: name of the program that wrote the last manifest, made harmless, or "".
        signer: in whose name the file is signed, made harmless, or "".
    """

    state: str
    declarations: tuple[Declaration, ...]
    program: str
    signer: str

    @property
    def source_types(self) -> tuple[str, ...]:
        """IPTC's digital source types, as they stand there."""
        return tuple(dict.fromkeys(declared.source_type for declared in self.declarations))

    @property
    def trust(self) -> str:
        """How far what is declared nearest to the file as it is can be trusted, in words."""
        return self.trust_in(self.declarations[0].role if self.declarations else ACTIVE)

    def trust_in(self, role: str) -> str:
        """How far a declaration of such a role can be trusted, in words."""
        named = f"it is signed in the name of {self.signer}, but " if self.signer else ""
        words = _TRUST[self.state].format(named)
        if role != ACTIVE and self.state != BROKEN:
            whose = "an earlier version" if role == EARLIER else "a part of the picture"
            words += f" It passes on what {whose} declared, whose signature is unchecked."
        return words


def read(data: bytes, container: str, *, anchors: str = "") -> Credentials | None:
    """Reads the manifest embedded in a picture file. Makes no network request.

    Args:
        data: the file's bytes.
        container: Pillow's name of its format.
        anchors: certificates of the authorities to trust, as PEM; none by default.

    Returns:
        What it declares; None without a readable manifest, or without the package. Never raises.
    """
    if container not in _TYPES:
        return None
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError) as error:  # or its native library is missing
        _say_once(str(error))
        return None
    settings = _OFFLINE | ({"trust": {"trust_anchors": anchors}} if anchors else {})
    try:
        with c2pa.Context.from_dict(settings) as context:
            reader = c2pa.Reader.try_create(_TYPES[container], io.BytesIO(data), context=context)
            if reader is None:
                return None
            with reader:
                return _credentials(json.loads(reader.json()))
    except (c2pa.C2paError, *READ_ERRORS):
        return None


@functools.cache
def _say_once(reason: str) -> None:
    _log.warning(
        "Content Credentials (C2PA) are not looked for: install the package c2pa-python (%s).",
        reason,
    )


def _credentials(store: dict[str, Any]) -> Credentials:
    versions = list(_versions(store))
    active = versions[0][0]
    signature = active.get("signature_info") or {}
    declarations: list[Declaration] = []
    afterwards: list[str] = []
    for manifest, role in versions:
        program = _program(manifest)
        for kind, agent in _source_types(manifest):
            later = tuple(dict.fromkeys(afterwards)) if role == EARLIER else ()
            declarations.append(Declaration(kind, role, program, agent, later))
        if role != PART:
            afterwards += _done(manifest)
    return Credentials(
        state=_STATES.get(store.get("validation_state", ""), BROKEN),
        declarations=tuple(dict.fromkeys(declarations)),
        program=_program(active),
        signer=name(signature.get("issuer") or signature.get("common_name") or ""),
    )


def _versions(store: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The active manifest, then those of all it was made from, nearest first, with their role.

    A program that exports a picture may declare no more than that it opened an earlier file, and
    only the manifest of that one, or of a part placed in it, says that an AI made it.
    """
    manifests = dict(store["manifests"])
    ahead = [(store["active_manifest"], ACTIVE)]
    for _ in range(_MOST_MANIFESTS):
        if not ahead:
            return
        label, role = ahead.pop(0)
        manifest = manifests.pop(label, None)  # so a circle ends
        if not isinstance(manifest, dict):
            continue
        yield manifest, role
        for ingredient in manifest.get("ingredients") or []:
            parent = ingredient.get("relationship") == "parentOf" and role != PART
            ahead.append((ingredient.get("active_manifest"), EARLIER if parent else PART))


def _source_types(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each source type of a manifest, with the program that an action names beside it.

    They stand in actions, in an action's parameters under a firm's own name, in metadata, and in
    what is said of an ingredient.
    """
    room = [_MOST_VALUES]
    for assertion in manifest.get("assertions") or []:
        data = assertion.get("data")
        if re.search(r"generative-ai|ai-disclosure", str(assertion.get("label", ""))):
            yield "trainedAlgorithmicMedia", ""
        agents = data.get("softwareAgents") if isinstance(data, dict) else None
        actions = data.get("actions") if isinstance(data, dict) else None
        if isinstance(actions, list):
            for action in actions:
                agent = _agent(action, agents)
                yield from ((value, agent) for value in _within(action, room))
        else:
            yield from ((value, "") for value in _within(data, room))
    for ingredient in manifest.get("ingredients") or []:
        yield from ((value, "") for value in _within(ingredient, room))


def _within(value: object, room: list[int], depth: int = 0) -> Iterator[str]:
    """Values of all keys that mean a digital source type, however deep."""
    room[0] -= 1
    if depth > 12 or room[0] < 0:
        return
    if isinstance(value, list):
        for part in value:
            yield from _within(part, room, depth + 1)
    elif isinstance(value, dict):
        for key, part in value.items():
            if re.split(r"[.:/#]", str(key))[-1].lower() == "digitalsourcetype":
                yield from _texts(part)
            elif key not in ("validation_results", "validation_status"):
                yield from _within(part, room, depth + 1)


def _texts(value: object) -> Iterator[str]:
    parts = value if isinstance(value, list) else [value]
    for part in parts[:20]:
        text = part.get("@id") or part.get("@value") if isinstance(part, dict) else part
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _agent(action: Any, agents: Any) -> str:
    """The program that an action names: a text, a description, or the number of one."""
    if not isinstance(action, dict):
        return ""
    agent = action.get("softwareAgent")
    number = action.get("softwareAgentIndex")
    if agent is None and isinstance(agents, list) and isinstance(number, int):
        agent = agents[number] if 0 <= number < len(agents) else None
    parameters = action.get("parameters")
    if agent is None and isinstance(parameters, dict):
        agent = parameters.get("com.adobe.details")  # the model of another firm
    if isinstance(agent, dict):
        agent = agent.get("name")
    if agent is None:  # Google names its model in a sentence alone
        agent = generator_named(str(action.get("description") or ""))
    return name(agent) if isinstance(agent, str) else ""


def _done(manifest: dict[str, Any]) -> Iterator[str]:
    """What the actions of a manifest did, in words."""
    for assertion in manifest.get("assertions") or []:
        data = assertion.get("data")
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for action in data.get("actions") or [] if isinstance(data, dict) else []:
            term = source_type(str(action.get("digitalSourceType") or ""))
            if term == "humanEdits":
                yield "edited by a person"
            elif term == "algorithmicallyEnhanced":
                yield "enhanced by an algorithm"
            elif words := _AFTERWARDS.get(str(action.get("action")), ""):
                yield words


def _program(manifest: dict[str, Any]) -> str:
    for info in manifest.get("claim_generator_info") or []:
        if info.get("name"):
            return name(str(info["name"]))
    # The first version of the standard wrote "Name/1.0 library/2.0".
    return name(str(manifest.get("claim_generator") or "").split("/")[0])
