"""Knows the raw files of cameras, whose first picture is a thumbnail.

Sources: DNG 1.7 (tags 50706, photometric 32803 and 34892), TIFF/EP, and the beginnings of CR2,
CR3, CRW, ORF, RAF, RW2, X3F, MRW and IIQ as ExifTool's documentation names them.
"""

from realitycheck.images import tiff

_DNG_VERSION, _PHOTOMETRIC, _COMPRESSION, _BELOW = 50706, 262, 259, 330
_SENSOR = {32803, 34892}  # colour filter array, linear raw
# Makers' own packings of sensor values: Sony, Nikon, Samsung, Kodak, Pentax.
_PACKINGS = {32767, 32769, 32770, 34713, 65000, 65535}
_STARTS = (
    (0, b"FUJIFILMCCD-RAW", "RAF"),
    (0, b"IIU\0", "RW2"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"FOVb", "X3F"),
    (0, b"\0MRM", "MRW"),
    (4, b"ftypcrx ", "CR3"),
    (6, b"HEAPCCDR", "CRW"),
    (8, b"IIII", "IIQ"),
    (8, b"MMMM", "IIQ"),
)
_MAKERS = (
    ("nikon", "NEF"),
    ("sony", "ARW"),
    ("pentax", "PEF"),
    ("ricoh", "PEF"),
    ("canon", "CR2"),
    ("samsung", "SRW"),
    ("hasselblad", "3FR"),
    ("epson", "ERF"),
    ("kodak", "KDC"),
)


_SUFFIXES = {  # of raw files that are TIFFs
    *("DNG", "NEF", "NRW", "ARW", "SR2", "SRF", "CR2", "PEF", "SRW"),
    *("3FR", "FFF", "ERF", "KDC", "DCR", "MEF", "MOS", "IIQ", "RWL"),
}


def kind(data: bytes, name: str = "") -> str:
    """Which camera's raw format a file has, or "".

    Args:
        data: the file.
        name: its name: a TIFF that is called raw is taken at its word.

    Returns:
        "DNG", "NEF" and so on; "raw" where the maker is unknown.
    """
    for place, start, format_ in _STARTS:
        if data.startswith(start, place) and (place != 8 or _is_tiff(data)):
            return format_
    if not _is_tiff(data):
        return ""
    if data[8:10] == b"CR":
        return "CR2"
    main = tiff.first(data)
    if main is None:
        return ""
    if _DNG_VERSION in main:
        return "DNG"
    directories = [*tiff.chain(data)]
    directories += [below for one in directories for below in one.below(_BELOW)]
    for one in directories:
        if one.number(_PHOTOMETRIC) in _SENSOR or one.number(_COMPRESSION) in _PACKINGS:
            maker = main.raw(271)[:40].decode("latin-1").lower()
            return next((found for word, found in _MAKERS if word in maker), "raw")
    suffix = name.rpartition(".")[2].upper()
    return suffix if suffix in _SUFFIXES else ""


def _is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
