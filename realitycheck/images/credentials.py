"""Reads C2PA manifests ("Content Credentials"): what they declare, and how far the signature holds.

The optional package c2pa-python does the reading. It is imported on the first use only.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from realitycheck.images.reading import READ_ERRORS

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


@dataclass(frozen=True)
class Credentials:
    """What a manifest declares.

    Attributes:
        state: TRUSTED, INTACT (by a signer who is on no trust list) or BROKEN.
        source_types: IPTC's digital source types, as addresses.
        earlier: they are those of an earlier version that the picture was made from.
        generator: name of the program that wrote the declaration, made harmless, or "".
        signer: in whose name the file is signed, made harmless, or "".
    """

    state: str
    source_types: tuple[str, ...]
    earlier: bool
    generator: str
    signer: str

    @property
    def trust(self) -> str:
        """How far it can be trusted, in words."""
        named = f"it is signed in the name of {self.signer}, but " if self.signer else ""
        words = _TRUST[self.state].format(named)
        if self.earlier and self.state != BROKEN:
            words += " It passes on what an earlier version declared, whose signature is unchecked."
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
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError):  # a native library that cannot be loaded
        return None
    if container not in _TYPES:
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


def _credentials(store: dict[str, Any]) -> Credentials:
    versions = list(_versions(store))
    active = versions[0]
    declaring = next((version for version in versions if _source_types(version)), active)
    signature = active.get("signature_info") or {}
    return Credentials(
        state=_STATES.get(store.get("validation_state"), BROKEN),
        source_types=_source_types(declaring),
        earlier=declaring is not active,
        generator=_harmless(_generator(declaring)),
        signer=_harmless(signature.get("issuer") or signature.get("common_name") or ""),
    )


def _versions(store: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The active manifest, then those of the pictures it was made from, latest first.

    A program that exports a picture may declare no more than that it opened an earlier file,
    and only the manifest of that one says that an AI made it.
    """
    manifests = dict(store["manifests"])
    label = store["active_manifest"]
    while label in manifests:
        version = manifests.pop(label)  # so a circle ends
        yield version
        parents = (
            ingredient.get("active_manifest")
            for ingredient in version.get("ingredients") or []
            if ingredient.get("relationship") == "parentOf"
        )
        label = next(parents, None)


def _source_types(manifest: dict[str, Any]) -> tuple[str, ...]:
    found = [
        action.get("digitalSourceType")
        for assertion in manifest.get("assertions") or []
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    return tuple(dict.fromkeys(value for value in found if isinstance(value, str) and value))


def _generator(manifest: dict[str, Any]) -> str:
    for info in manifest.get("claim_generator_info") or []:
        if info.get("name"):
            return str(info["name"])
    # The first version of the standard wrote "Name/1.0 library/2.0".
    return str(manifest.get("claim_generator") or "").split("/")[0]


def _harmless(name: str) -> str:
    """Cut, and without what Markdown or a browser could take for markup or a link."""
    return " ".join(re.sub(r"[^\w ()+-]|_", " ", name).split())[:40].strip()
