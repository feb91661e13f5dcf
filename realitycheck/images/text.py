"""Text out of files: in which encoding it is, and how it may be shown."""

import re
import unicodedata

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SAMPLE = 2000  # characters that a guess looks at
_NUL_SHARE = 0.1  # of zeros, above which text is not taken for one byte a character
SHOWN = 120  # characters of a prompt
NAMED = 40  # characters of a name


def decoded(raw: bytes, *, order: str = "", wide: bool = False) -> str:
    """Bytes as text, in the encoding that makes the most sense of them.

    Args:
        raw: the bytes, of any encoding.
        order: byte order of what they lie in, "<" or ">": decides where nothing else does.
        wide: a header promises UTF-16. Such headers are often wrong.

    Returns:
        The text without zeros at its ends. Never raises.
    """
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(name, "replace").strip("\0 \ufeff")
    sample = raw[: 2 * _SAMPLE]
    zeros = sample.rstrip(b"\0").count(b"\0")
    if zeros <= _NUL_SHARE * len(sample):
        try:
            return raw.decode("utf-8").strip("\0 ")
        except UnicodeDecodeError as error:
            cut_at_the_end = error.start >= len(raw) - 3
            # One bad byte in a text of ASCII is no reason to read it two bytes at a time.
            ascii_share = sum(32 <= byte < 127 for byte in sample) / max(1, len(sample))
            if cut_at_the_end or (ascii_share > 0.7 and not zeros):
                return raw.decode("utf-8", "replace").strip("\0 ")
            if not wide and not zeros:
                return raw.decode("cp1252", "replace").strip("\0 ")
    if zeros > 0.6 * len(sample) and len(sample) >= 8:
        names = ["utf-32-le", "utf-32-be"]
    else:
        names = ["utf-16-le", "utf-16-be"]
    if order == ">":
        names.reverse()
    best = max(names, key=lambda name: _sense(sample.decode(name, "ignore")))
    return raw.decode(best, "replace").strip("\0 \ufeff")


def _sense(text: str) -> float:
    """How much a text looks like one that somebody wrote: more is better."""
    score = 0.0
    for letter in text[:_SAMPLE]:
        code = ord(letter)
        if 32 <= code < 127 or letter in "\n\r\t":
            score += 2
        elif unicodedata.category(letter) in ("Cn", "Co", "Cs", "Cc"):
            score -= 2
        elif code < 0x530 or 0x3040 <= code < 0x30FF or 0x4E00 <= code < 0x9FA6:
            score += 1
    return score


def user_comment(raw: bytes, order: str = "") -> str:
    """EXIF's UserComment, which begins with the name of its encoding (EXIF 2.32, tag 37510)."""
    kind, rest = raw[:8].rstrip(b"\0 ").upper(), raw[8:]
    if kind == b"JIS":
        for name in ("iso2022_jp", "shift_jis", "euc_jp"):
            try:
                return rest.decode(name).strip("\0 ")
            except UnicodeDecodeError:
                continue
        return decoded(rest, order=order)
    if kind == b"UNICODE":
        return decoded(rest, order=order, wide=True)
    return decoded(rest if kind in (b"ASCII", b"") else raw, order=order)


def shown(text: str, most: int = SHOWN) -> str:
    """The beginning of a text in one line, without what could be taken for markup or a command."""
    plain = "".join(
        " "
        if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")
        else letter
        for letter in text[: 4 * most]
    )
    line = " ".join(re.sub(r"[<>`\[\]{}|\\]|://", " ", plain).split())
    if len(line) > most:
        line = line[:most].rstrip(" ,.;") + "…"
    return line


def name(text: str) -> str:
    """A name, cut, and without what Markdown or a browser could take for markup or a link."""
    plain = re.sub(r"[^\w ()+·.-]|_|(?<!\d)\.|\.(?!\d)", " ", text[: 10 * NAMED])
    return " ".join(plain.split())[:NAMED].strip()
