"""Where graphs of a checkpoint's backbones are kept, and which engine was the fastest here."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import huggingface_hub

from realitycheck.engines.processor import capabilities, cores, half_precision
from realitycheck.errors import WriteError
from realitycheck.files import atomic_write

CHOICE = "choice.json"
KEPT = 3  # checkpoints whose graphs stay in the cache
GRAPHS = ("*.onnx", "*.openvino")
PACKAGES = ("torch", "openvino", "onnxruntime")


@dataclass(frozen=True)
class Place:
    """Where a checkpoint's graphs are.

    Attributes:
        folder: the checkpoint's, for those that were exported.
        mark: of its weights, their SHA-256.
    """

    folder: Path
    mark: str

    @property
    def cache(self) -> Path:
        """For graphs that were made by themselves, beside what was downloaded from the Hub."""
        return _graphs() / f"{self.mark[:16]}-{'half' if half_precision() else 'full'}"

    def remembered(self, member: str) -> str | None:
        """The fastest engine for a member when it was timed; None where that says nothing here."""
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            kept = json.loads((self.cache / CHOICE).read_text(encoding="utf-8"))
            if kept["machine"] == self._machine():
                times: dict[str, float] = kept["seconds"][member]
                os.utime(self.cache)  # it is in use
                return min(times, key=lambda name: float(times[name]))
        return None

    def remember(self, member: str, times: dict[str, float]) -> None:
        """Keeps what engines took for a member, in seconds."""
        kept = {"machine": self._machine(), "seconds": {member: times}}
        with suppress(OSError, ValueError, TypeError, KeyError):
            before = json.loads((self.cache / CHOICE).read_text(encoding="utf-8"))
            if before["machine"] == kept["machine"]:
                kept["seconds"] = {**before["seconds"], member: times}
        # Where it cannot be written, it is timed again next time.
        with suppress(WriteError), atomic_write(self.cache / CHOICE) as temporary:
            temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")

    def make_room(self) -> None:
        """Deletes the graphs of the checkpoints that were used longest ago."""
        others = [path for path in _graphs().iterdir() if path != self.cache]
        others.sort(key=lambda path: path.stat().st_mtime)
        for old in others[: max(0, len(others) - KEPT + 1)]:
            shutil.rmtree(old, ignore_errors=True)

    def forget(self) -> None:
        """Deletes the graphs that were exported into the checkpoint's folder."""
        for kind in GRAPHS:
            for graph in self.folder.glob(kind):
                shutil.rmtree(graph) if graph.is_dir() else graph.unlink()

    def _machine(self) -> dict[str, object]:
        """What the times depend on: where it is another, engines are timed again."""
        versions = {}
        for package in PACKAGES:
            with suppress(metadata.PackageNotFoundError):
                versions[package] = metadata.version(package)
        return {
            "processor": str(capabilities()),
            "cores": cores(),
            "half": half_precision(),
            "versions": versions,
            "exported": sorted(file.name for kind in GRAPHS for file in self.folder.glob(kind)),
        }


def _graphs() -> Path:
    return huggingface_hub.cached_assets_path("realitycheck", "engines", "graphs")
