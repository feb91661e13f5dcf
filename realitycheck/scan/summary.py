"""What a scan found, counted: a few lines for its end."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from realitycheck.wording import QUICK, VERDICT_NAMES

NAMED = 10  # pictures that could not be examined and are named


@dataclass
class Summary:
    """Counts of rows as they come.

    Attributes:
        verdicts: how many rows have each.
        failed: how many pictures could not be examined.
        quick: whether rows are of the quick mode.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    quick: bool = False
    _named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """Counts a row of `rows.row` or `rows.failed`."""
        if "error" not in row:
            self.verdicts[row["verdict"]] += 1
            self.quick |= row["model"].get("mode") == "quick"
            return
        self.failed += 1
        if self.failed <= NAMED:
            self._named.append((row["file"], row["error"]))

    def counted(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same rows, each counted as it passes."""
        for row in rows:
            self.add(row)
            yield row

    @property
    def total(self) -> int:
        """How many rows there were."""
        return self.verdicts.total() + self.failed

    def lines(self, examined: int, seconds: float) -> list[str]:
        """The summary.

        Args:
            examined: how many of the pictures this call had to do, of the same content or not.
            seconds: that took.
        """
        rate = f", {examined / seconds:.1f} a second" if examined and seconds > 0 else ""
        earlier = self.total - examined
        before = f"; {earlier:,} were done before" if earlier > 0 else ""
        counts = [f"{self.verdicts[verdict]:,} {name}" for verdict, name in VERDICT_NAMES.items()]
        lines = [
            f"{self.total:,} {'picture' if self.total == 1 else 'pictures'}: {', '.join(counts)}, "
            f"{self.failed:,} not examined ({_clock(seconds)}{rate}{before}).",
            *(f"  {_on_a_line(file)}: {error}" for file, error in self._named),
        ]
        lines += [QUICK] if self.quick else []
        if (more := self.failed - len(self._named)) > 0:
            lines.append(f"  and {more:,} more; each has a row with its error.")
        return lines


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _on_a_line(name: str) -> str:
    return name.replace("\n", "\\n").replace("\r", "\\r")
