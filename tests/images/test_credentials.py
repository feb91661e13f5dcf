"""Content Credentials, in files that are signed here by an authority made here."""

import contextlib
import datetime
import functools
import http.server
import io
import json
import sys
import threading

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from helpers import drawing
from PIL import Image

from realitycheck.images import credentials, provenance

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI, CAMERA = "trainedAlgorithmicMedia", "digitalCapture"
MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
}


def certificate(name, key, issuer=None, issuer_key=None):
    """An authority's certificate, or one that the issuer gives to a signer."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name} key"),
        ]
    )
    authority = issuer is None
    now = datetime.datetime.now(datetime.UTC)
    rights = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    rights |= {
        "digital_signature": not authority,
        "key_cert_sign": authority,
        "crl_sign": authority,
    }
    issuing = key if authority else issuer_key
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        .add_extension(x509.KeyUsage(**rights), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()), False
        )
    )
    if not authority:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(use, False)
    return made.sign(issuing, hashes.SHA256())


@functools.cache
def keys() -> tuple[str, str, str]:
    """The authority's certificate, the signer's with it, and the signer's key, as PEM."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate("Self-made Authority", authority_key)
    signer = certificate("Evil [Corp](//evil.example)", key, authority, authority_key)
    root, leaf = (
        made.public_bytes(serialization.Encoding.PEM).decode() for made in (authority, signer)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return root, leaf + root, private.decode()


def drawn(kind="JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    drawing(96, 80).save(buffer, kind, **options)
    return buffer.getvalue()


def created(source_type) -> list[dict]:
    return [{"action": "c2pa.created", "digitalSourceType": TYPES + source_type}]


def sign(data, actions=(), kind="JPEG", *, generator="Acme Maker", assertions=(), prepare=None):
    _, chain, private = keys()
    manifest = {
        "claim_generator_info": [{"name": generator, "version": "1"}],
        "title": "TITLE",
        "assertions": list(assertions),
    }
    if actions:
        manifest["assertions"].append({"label": "c2pa.actions", "data": {"actions": actions}})
    # Signing checks the result too, and would ask for the key of an identity.
    context = c2pa.Context.from_dict(
        {
            "builder": {"thumbnail": {"enabled": False}},
            "core": {"decode_identity_assertions": False},
        }
    )
    info = c2pa.C2paSignerInfo("es256", chain.encode(), private.encode(), None)
    signed = io.BytesIO()
    with context, c2pa.Builder(manifest, context) as builder:
        if prepare:
            prepare(builder)
        with c2pa.Signer.from_info(info) as signer:
            builder.sign(signer, MIME[kind], io.BytesIO(data), signed)
    return signed.getvalue()


def changed(data: bytes) -> bytes:
    """The same JPEG with one bit of its pixel data turned."""
    return data[:-200] + bytes([data[-200] ^ 1]) + data[-199:]


@pytest.mark.parametrize("kind", MIME)
@pytest.mark.parametrize(("source_type", "points_to"), [(AI, "ai"), (CAMERA, "camera")])
def test_what_is_declared_by_a_signer_nobody_knows(kind, source_type, points_to):
    (finding,) = provenance.examine(sign(drawn(kind), created(source_type), kind))
    assert finding.where == "C2PA manifest"
    assert finding.points_to == points_to
    assert "Content Credentials written by Acme Maker, declares" in finding.says
    assert source_type in finding.says
    assert "Signature intact, signer not verified" in finding.trust
    assert "anybody can sign" in finding.trust


def test_a_signer_on_the_trust_list():
    data = sign(drawn(), created(CAMERA))
    found = credentials.read(data, "JPEG", anchors=keys()[0])
    assert found.state == credentials.TRUSTED
    assert "the signer is on the trust list" in found.trust
    found = credentials.read(changed(data), "JPEG", anchors=keys()[0])
    assert found.state == credentials.BROKEN


@pytest.mark.parametrize("source_type", [AI, CAMERA])
@pytest.mark.parametrize("break_it", [changed, lambda data: data + b"more"])
def test_a_file_changed_after_signing_is_no_evidence_of_either_kind(source_type, break_it):
    (finding,) = provenance.examine(break_it(sign(drawn(), created(source_type))))
    assert finding.points_to == "edited"
    assert "broken Content Credentials" in finding.says
    assert "Signature broken" in finding.trust
    assert "intact" not in finding.trust


def test_one_finding_for_each_thing_declared_ai_first():
    edited = {
        "action": "c2pa.edited",
        "digitalSourceType": TYPES + "compositeWithTrainedAlgorithmicMedia",
    }
    findings = provenance.examine(sign(drawn(), [*created(CAMERA), edited, edited]))
    assert [finding.points_to for finding in findings] == ["ai", "camera"]


@pytest.mark.parametrize("source_type", ["", "something/else?"])
def test_without_a_known_source_type_it_is_said_that_there_are_credentials(source_type):
    (finding,) = provenance.examine(sign(drawn(), created(source_type)))
    assert finding.points_to == "edited"
    assert finding.says.startswith("The file carries Content Credentials written by Acme Maker;")
    assert "else?" not in finding.says


def test_what_an_earlier_version_declares_is_passed_on_with_less_trust():
    earlier = sign(drawn(quality=90), created(AI), generator="Painter")

    def opened(builder):
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        entry = json.dumps({"title": "before", "relationship": "parentOf"})
        builder.add_ingredient(entry, "image/jpeg", io.BytesIO(earlier))

    later = sign(drawn(quality=50), prepare=opened)
    (finding,) = provenance.examine(later)
    assert finding.points_to == "ai"
    assert "of an earlier version written by Painter" in finding.says
    assert "whose signature is unchecked" in finding.trust
    found = credentials.read(later, "JPEG", anchors=keys()[0])
    assert "whose signature is unchecked" in found.trust


def test_names_are_cut_and_made_harmless_and_those_of_people_are_not_read():
    author = {"@type": "Person", "name": "OWNER"}
    assertions = [
        {
            "label": "stds.schema-org.CreativeWork",
            "data": {"@context": "https://schema.org", "@type": "CreativeWork", "author": [author]},
        },
        {
            "label": "c2pa.metadata",
            "data": {
                "@context": {"exif": "http://ns.adobe.com/exif/1.0/"},
                "exif:GPSLatitude": "47,22.11N",
            },
        },
    ]
    generator = "<b>[Acme](http://www.evil.example)</b> `x` _y_ " + "z" * 100
    data = sign(drawn(), created(CAMERA), generator=generator, assertions=assertions)
    (finding,) = provenance.examine(data)
    assert "written by b Acme (http www evil example) b x y z" in finding.says
    assert "z" * 10 not in finding.says
    assert "in the name of Evil Corp ( evil example), but" in finding.trust
    for private in ("OWNER", "47", "evil.example", "TITLE"):
        assert private not in json.dumps(finding.report())


def test_no_credentials_in_unsigned_and_saved_again_files():
    unsigned, signed = drawn(), sign(drawn(), created(AI))
    assert provenance.examine(unsigned) == []
    # Appended bytes mean nothing, a whole signed file among them.
    assert provenance.examine(unsigned + signed) == []
    assert provenance.examine(drawn("PNG") + sign(drawn("PNG"), created(AI), "PNG")) == []
    again = io.BytesIO()
    Image.open(io.BytesIO(signed)).save(again, "JPEG")
    assert provenance.examine(again.getvalue()) == []
    assert credentials.read(drawn("BMP"), "BMP") is None


@pytest.fixture
def listener(monkeypatch):
    """Address of a server that every request would reach, and the requests that did."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_error(404)

        do_CONNECT = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, address)
        yield address, seen
        server.shutdown()


def remote_only(address):
    def prepare(builder):
        builder.set_no_embed()
        builder.set_remote_url(f"{address}/manifest.c2pa")

    return sign(drawn(), created(AI), prepare=prepare)


def identity_elsewhere():
    """A file with an identity whose key is said to lie on a web server (did:web)."""

    def text(value: bytes, kind: int) -> bytes:  # CBOR, with a length of two bytes
        return bytes([kind << 5 | 25]) + len(value).to_bytes(2, "big") + value

    payload = {
        "referenced_assertions": [
            {"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": list(bytes(32))}
        ],
        "sig_type": "cawg.identity_claims_aggregation",
    }
    named = {
        "type": "cawg.social_media",
        "username": "OWNER",
        "uri": "https://example.com/owner",
        "verifiedAt": "2024-01-01T00:00:00Z",
        "provider": {"id": "https://example.com", "name": "Example"},
    }
    asset = json.loads(json.dumps(payload))
    asset["referenced_assertions"][0]["hash"] = "AAAA"
    credential = {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://cawg.io/identity/1.1/ica/context/",
        ],
        "type": ["VerifiableCredential", "IdentityClaimsAggregationCredential"],
        "issuer": "did:web:example.com",
        "validFrom": "2024-01-01T00:00:00Z",
        "credentialSubject": {"verifiedIdentities": [named], "c2paAsset": asset},
    }
    # COSE_Sign1: headers (EdDSA, application/vc), nothing, the credential, no real signature.
    header = b"\xa2\x01\x27\x03" + text(b"application/vc", 3)
    parts = text(header, 2), b"\xa0", text(json.dumps(credential).encode(), 2), text(bytes(64), 2)
    signature = b"\xd2\x84" + b"".join(parts)
    identity = {
        "label": "cawg.identity",
        "data": {"signer_payload": payload, "signature": list(signature), "pad1": [0] * 4},
    }
    return sign(drawn(), created(AI), assertions=[identity])


def test_no_server_that_a_file_names_is_ever_asked(listener):
    address, seen = listener
    for data, points_to in ((remote_only(address), ["edited"]), (identity_elsewhere(), ["ai"])):
        seen.clear()
        assert [finding.points_to for finding in provenance.examine(data)] == points_to
        assert seen == []
        # The library left to itself does ask: the listener would have noticed.
        with contextlib.suppress(c2pa.C2paError), c2pa.Context() as context:
            c2pa.Reader("image/jpeg", io.BytesIO(data), context=context).close()
        assert len(seen) == 1


def test_without_the_package_the_rest_is_read(monkeypatch):
    data = sign(drawn(), created(AI))
    assert provenance.reads_credentials()
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert not provenance.reads_credentials()
    assert provenance.examine(data) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_damaged_manifests_never_raise_and_are_never_taken_for_intact(kind):
    data = sign(drawn(kind), created(AI), kind)
    start = data.index(b"jumb")
    for place in range(start, data.rindex(b"trainedAlg"), 97):
        broken = data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]
        for finding in provenance.examine(broken):
            assert "intact" not in finding.trust
    assert provenance.examine(data[: start + 8] + bytes(2000) + data[start + 2008 :]) == []


# --- chains ---------------------------------------------------------------------------------


def with_ingredients(*ingredients, actions=(), assertions=(), generator="Editor", intent=False):
    """A file whose manifest names others: (relationship, file) of each."""

    def prepare(builder):
        if intent:
            builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        for number, (relation, data) in enumerate(ingredients):
            label = f"part{number}"
            entry = {"title": label, "relationship": relation, "label": label}
            builder.add_ingredient(json.dumps(entry), "image/jpeg", io.BytesIO(data))

    return sign(
        drawn(quality=50), actions, generator=generator, assertions=assertions, prepare=prepare
    )


def placed(*numbers):
    ids = [f"part{number}" for number in numbers]
    return {"action": "c2pa.placed", "parameters": {"ingredientIds": ids}}


def opened():
    return {"action": "c2pa.opened", "parameters": {"ingredientIds": ["part0"]}}


PAINTED = functools.cache(lambda: sign(drawn(quality=90), created(AI), generator="Painter"))


@pytest.mark.parametrize("made", ["digitalCapture", "digitalCreation", "composite"])
def test_a_part_made_by_an_ai_is_named_first(made):
    data = with_ingredients(("componentOf", PAINTED()), actions=[*created(made), placed(0)])
    first, second = provenance.examine(data)
    assert first.points_to == "ai"
    assert "of a part of it written by Painter" in first.says
    assert "whose signature is unchecked" in first.trust
    assert first.generator == "Painter"
    assert made in second.says
    if made == "digitalCapture":
        assert (
            "but parts or versions of it are declared to be made by a generative AI" in second.says
        )


def test_ai_far_down_the_chain_with_what_was_done_after():
    once = with_ingredients(
        ("parentOf", PAINTED()),
        actions=[opened(), {"action": "c2pa.cropped"}],
        generator="Cropper",
    )
    twice = with_ingredients(
        ("parentOf", once),
        actions=[opened(), {"action": "c2pa.edited", "digitalSourceType": TYPES + "humanEdits"}],
    )
    first, second = provenance.examine(twice)
    assert first.points_to == "ai"
    assert "afterwards: edited by a person, cropped" in first.says
    assert "humanEdits" in second.says
    document = with_ingredients(
        ("componentOf", sign(drawn(quality=70), created(CAMERA))),
        ("componentOf", twice),
        actions=[*created("digitalCreation"), placed(0, 1)],
    )
    findings = provenance.examine(document)
    assert findings[0].points_to == "ai"
    assert "of a part of it written by Painter" in findings[0].says
    assert {finding.points_to for finding in findings} == {"ai", "camera", "edited"}
    for finding in findings:
        if finding.points_to == "camera":
            assert "but parts or versions of it" in finding.says


def test_a_photograph_that_was_enhanced_says_no_ai():
    camera = sign(drawn(), created(CAMERA), generator="Camera")
    enhanced = {"action": "c2pa.edited", "digitalSourceType": TYPES + "algorithmicallyEnhanced"}
    data = with_ingredients(("parentOf", camera), actions=[opened(), enhanced])
    findings = provenance.examine(data)
    assert [finding.points_to for finding in findings] == ["camera", "edited"]
    assert "generative" not in json.dumps([finding.report() for finding in findings])


def test_ai_in_the_parameters_of_an_action():
    parameters = {
        "com.adobe.digitalSourceType": TYPES + AI,
        "com.adobe.type": "remoteProvider.3rdParty",
        "com.adobe.details": "Other Model",
    }
    for action in (
        {"action": "c2pa.edited", "parameters": parameters},
        {"action": "c2pa.edited", "parameters": {"more": [{"digitalSourceType": TYPES + AI}]}},
    ):
        data = sign(drawn(), [*created("digitalCreation"), action])
        first, second = provenance.examine(data)
        assert (first.points_to, second.points_to) == ("ai", "edited")
    assert provenance.examine(sign(drawn(), [*created(CAMERA), {"action": "c2pa.edited"}]))


def test_ai_in_an_assertion_about_metadata():
    assertion = {
        "label": "c2pa.metadata",
        "data": {
            "@context": {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"},
            "Iptc4xmpExt:DigitalSourceType": TYPES + AI,
        },
    }
    data = sign(drawn(), created("digitalCreation"), assertions=[assertion])
    assert provenance.examine(data)[0].points_to == "ai"


@pytest.mark.parametrize(
    ("agent", "program", "named"),
    [
        ({"name": "GPT-4o"}, "ChatGPT", "GPT-4o"),
        ({"name": "DALL·E"}, "OpenAI API", "DALL·E"),
        ({"name": "gpt-image-1.5"}, "OpenAI", "gpt-image-1.5"),
        (None, "Google C2PA Core Generator Library", "Google C2PA Core Generator Library"),
        (
            "Created by Google Generative AI.",
            "Google C2PA Core Generator Library",
            "Google Generative AI",
        ),
        ({"name": "Imagen 4"}, "Google C2PA Core Generator Library", "Imagen 4"),
        ({"name": "Adobe Firefly"}, "Adobe_Firefly", "Adobe Firefly"),
    ],
)
def test_the_model_is_named_beside_the_program(agent, program, named):
    key = "description" if isinstance(agent, str) else "softwareAgent"
    action = created(AI)[0] | ({key: agent} if agent else {})
    (finding,) = provenance.examine(sign(drawn(), [action], generator=program))
    assert finding.generator == named
    assert f"written by {program.replace('_', ' ')}" in finding.says
    assert named in finding.says


def store(**manifests) -> dict:
    return {"manifests": manifests, "active_manifest": "a", "validation_state": "Valid"}


def manifest(*ingredients, actions=(), **more) -> dict:
    entries = [{"relationship": "parentOf", "active_manifest": name} for name in ingredients]
    assertions = [{"label": "c2pa.actions", "data": {"actions": list(actions)}}]
    return {"ingredients": entries, "assertions": assertions, **more}


def test_circles_end_and_missing_manifests_are_passed_over():
    made = store(a=manifest("b", "nowhere"), b=manifest("a", "c"), c=manifest(actions=created(AI)))
    (found,) = credentials._credentials(made).declarations
    assert (found.source_type, found.role) == (TYPES + AI, credentials.EARLIER)
    many = {f"m{i}": manifest(*(f"m{j}" for j in range(50))) for i in range(50)}
    assert credentials._credentials(store(a=manifest("m0"), **many)).declarations == ()


def test_the_forms_of_the_first_versions():
    action = created(AI)[0] | {"softwareAgent": "DALL·E 3"}
    made = store(a=manifest(actions=[action], claim_generator="OpenAI/1.0 c2pa/2"))
    (found,) = credentials._credentials(made).declarations
    assert (found.program, found.agent) == ("OpenAI", "DALL·E 3")
    numbered = created(AI)[0] | {"softwareAgentIndex": 1}
    made = manifest(actions=[numbered])
    made["assertions"][0]["data"]["softwareAgents"] = [{"name": "One"}, {"name": "Two"}]
    (found,) = credentials._credentials(store(a=made)).declarations
    assert found.agent == "Two"
    firefly = {"label": "adobe.generative-ai", "data": {"description": "Adobe Firefly"}}
    change = {"action": "c2pa.edited", "changes": [{"org.maker.DigitalSourceType": TYPES + AI}]}
    (found,) = credentials._credentials(store(a=manifest(actions=[change]))).declarations
    assert found.source_type == TYPES + AI
    made = store(a={"assertions": [firefly]})
    (found,) = credentials._credentials(made).declarations
    assert found.source_type == AI


def test_one_line_in_the_log_says_that_the_package_is_missing(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    credentials._say_once.cache_clear()
    for _ in range(5):
        assert credentials.read(drawn(), "JPEG") is None
    assert len(caplog.records) == 1
    assert "c2pa-python" in caplog.text
