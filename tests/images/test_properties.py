"""What holds for any bytes: no crash, no hang, and no photograph that metadata turns into AI."""

import functools
import time
import zlib

import fuzz
import numpy as np
import pytest
from helpers import drawing
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_files import (
    AI,
    PROMPT,
    SETTINGS,
    chunk,
    exif,
    jpeg_xmp,
    label,
    png,
    saved,
    utf16,
    with_chunks,
)
from PIL import Image, ImageCms

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import provenance, text, xmp

KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF")
LONGEST = 1.0  # s, of reading and examining together
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
pytestmark = pytest.mark.hypothesis  # what makes its examples inside is marked too
QUICK = settings(suppress_health_check=list(HealthCheck), database=None)


@functools.cache
def camera_file(kind: str) -> bytes:
    """What a camera writes: its name, its exposure, a profile and XMP that says no AI."""
    made = Image.Exif()
    made[271], made[272], made[274] = "Canon", "Canon EOS 5D", 1
    made.get_ifd(0x8769)[33434] = 0.01
    options = {} if kind in ("GIF", "BMP") else {"exif": made, "icc_profile": SRGB}
    if kind in ("JPEG", "WEBP", "AVIF", "HEIF"):
        options["xmp"] = label("digitalCapture").encode()
    return saved(kind, drawing(96, 80), **options)


@functools.cache
def generated_file(kind: str) -> bytes:
    if kind in ("JPEG", "WEBP", "AVIF"):
        blob = b"Exif\0\0" + exif(utf16(PROMPT + SETTINGS))
        return saved(kind, drawing(96, 80), exif=blob, xmp=label().encode())
    return png(parameters=PROMPT + SETTINGS) if kind == "PNG" else camera_file(kind)


def mutations(kind: str, source) -> st.SearchStrategy[bytes]:
    data = source(kind)
    places = st.integers(0, len(data) - 1)
    flips = st.lists(st.tuples(places, st.integers(1, 255)), max_size=8)

    def mutated(flips, cut, more, wide) -> bytes:
        bad = np.frombuffer(data, np.uint8).copy()
        for place, change in flips:
            bad[place if wide else place % min(600, len(bad))] ^= change
        return bad.tobytes()[: len(bad) if cut is None else cut] + more

    return st.builds(
        mutated, flips, st.none() | places, st.just(b"") | st.binary(max_size=300), st.booleans()
    )


def survived(data: bytes) -> list[provenance.Finding]:
    """Reads and examines; only a refusal in words may come out, and soon."""
    started = time.process_time()
    try:
        picture = images.read(data)
        assert picture.image.mode == "RGB"
    except PictureError as error:
        assert len(str(error).split()) > 3  # noqa: PT017
    findings = provenance.examine(data)
    assert time.process_time() - started < LONGEST
    for finding in findings:
        assert all(
            isinstance(value, str) and len(value) < 700 for value in finding.report().values()
        )
    provenance.summary(findings)
    return findings


@pytest.mark.parametrize("kind", KINDS)
def test_no_change_turns_a_camera_file_into_ai(kind):
    @QUICK
    @given(mutations(kind, camera_file))
    def check(data):
        assert not any(finding.points_to == "ai" for finding in survived(data))

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_any_change_of_a_generated_file_is_survived(kind):
    @QUICK
    @given(mutations(kind, generated_file))
    def check(data):
        survived(data)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_appended_changes_nothing(kind):
    before = provenance.examine(camera_file(kind))
    pixels = images.read(camera_file(kind)).image.tobytes()

    @QUICK
    @example(label().encode())
    @example(jpeg_xmp(label()))
    @example(chunk(b"tEXt", b"parameters\0" + (PROMPT + SETTINGS).encode()))
    @given(st.binary(max_size=400))
    def check(more):
        assert provenance.examine(camera_file(kind) + more) == before
        assert images.read(camera_file(kind) + more).image.tobytes() == pixels

    check()


STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF\0\0\0\0WEBP", b"BM")


@QUICK
@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(data):
    survived(data)


@QUICK
@given(st.sampled_from(STARTS), st.binary(max_size=600))
def test_any_bytes_behind_a_good_start_are_survived(start, data):
    survived(start + data)


@QUICK
@given(st.text(max_size=300), st.sampled_from(["parameters", "prompt", "workflow", "Comment"]))
def test_any_text_is_survived_and_shown_harmless(words, key):
    for finding in survived(png(**{key: words})):
        assert not set("<>[]`\n\x1b") & set(finding.prompt)


@QUICK
@given(st.text(max_size=200))
def test_text_comes_back_from_every_encoding(words):
    plain = words.strip("\0 \ufeff")
    assert text.decoded(b"\xff\xfe" + plain.encode("utf-16-le", "ignore")) is not None
    try:
        marked = b"\xef\xbb\xbf" + plain.encode()
    except UnicodeEncodeError:
        return
    assert text.decoded(marked) == plain


@QUICK
@given(st.binary(max_size=400))
def test_any_packet_is_survived(data):
    xmp.properties([data, b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + data + b"</x:xmpmeta>"])


# --- bounds ---------------------------------------------------------------------------------

LARGE = {
    "texts": with_chunks(*[chunk(b"tEXt", b"parameters\0" + b"Steps: 1, " * 100_000)] * 20),
    "packed texts": with_chunks(
        *[chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"{" * 20_000_000))] * 50
    ),
    "many small chunks": with_chunks(*[chunk(b"tEXt", b"a\0b")] * 200_000),
    "many empty chunks": with_chunks(*[chunk(b"abCd", b"")] * 400_000),
    "one JSON": png(prompt='{"a": [' + "1," * 3_000_000 + "1]}"),
    "deep JSON": png(prompt='{"a":' * 500_000),
    "a large graph": png(
        prompt="{"
        + ",".join(f'"{i}":{{"class_type":"A","inputs":{{}}}}' for i in range(60_000))
        + "}"
    ),
    "XMP of elements": png(**{"XML:com.adobe.xmp": "<x:xmpmeta xmlns:x='a'>" + "<b/>" * 1_000_000}),
    "XMP of attributes": png(
        **{"XML:com.adobe.xmp": "<x:xmpmeta " + " ".join(f"a{i}='{i}'" for i in range(200_000))}
    ),
    "XMP without end": png(**{"XML:com.adobe.xmp": '<rdf:RDF a:b="' * 400_000}),
    "many packets": png(**{"XML:com.adobe.xmp": label() * 4000}),
    "segments": saved()[:2] + b"\xff\xe1\x00\x04ab" * 1_000_000 + saved()[2:],
    "fill bytes": saved()[:2] + b"\xff" * 5_000_000 + saved()[2:],
    "GIF blocks": saved("GIF")[:-1] + b"\x21\xfe\x01a\x00" * 500_000 + b";",
    "long description": png(Description="Job ID: 0123456 " * 500_000),
    "long credit": jpeg_xmp(
        label(inside="<photoshop:Credit>" + "made with " * 5000 + "</photoshop:Credit>")
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_read_is_bounded_in_time(name):
    data = LARGE[name]
    assert len(data) < images.MAX_BYTES
    started = time.process_time()
    findings = provenance.examine(data)
    assert time.process_time() - started < LONGEST, name
    assert len(findings) < 20


def test_ai_behind_much_else_is_found():
    filler = [chunk(b"tEXt", b"Comment\0" + b"x" * 100_000)] * 20
    data = with_chunks(*filler, base=png(**{"XML:com.adobe.xmp": label()}))
    assert AI in provenance.examine(data)[0].says


@pytest.mark.filterwarnings("ignore")
def test_a_short_fuzz_run_of_every_decoder():
    assert fuzz.run(400, seed=1) == []
