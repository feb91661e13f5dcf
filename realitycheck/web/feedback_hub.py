"""Sends what visitors gave to a dataset on the Hub, by `huggingface_hub.CommitScheduler`."""

import logging
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress

from huggingface_hub import CommitScheduler, HfApi

from realitycheck import hub
from realitycheck.errors import HubError, WriteError
from realitycheck.web.feedback_box import SET, Box

EVERY = 5.0  # minutes between commits
CLOSING = (
    8.0  # seconds for a last one: containers are killed ten seconds after they are told to end
)
CARD = "README.md"
UNKNOWN, PRIVATE, PUBLIC = "unknown", "private", "public"
log = logging.getLogger(__name__)


class Sender:
    """Reaches for the dataset until it can be reached, then commits what waits, again and again.

    Args:
        repo: "owner/name" of the dataset; made, and hidden from others, if it is not there.
        box: what waits.
        every: minutes between commits, and between tries to reach it.
    """

    def __init__(self, repo: str, box: Box, every: float = EVERY) -> None:
        self.visibility = UNKNOWN
        self._repo, self._box, self._every = repo, box, every
        self._closed = threading.Event()
        self._told = ""
        self._scheduler: _Scheduler | None = None
        threading.Thread(target=self._connect, daemon=True).start()

    def _connect(self) -> None:
        while not self._closed.is_set():
            try:
                with hub.translate_errors(self._repo):
                    self._scheduler = _Scheduler(self._repo, self._box, self._every, self)
                return
            except HubError as error:
                self.failed(error)
            self._closed.wait(self._every * 60)

    def succeeded(self) -> None:
        """From here on, a failure is news again."""
        self._told = ""

    def failed(self, error: HubError) -> None:
        """Says once why nothing is sent, as long as it is for the same reason."""
        if str(error) != self._told:
            log.warning(
                "Feedback is not sent: %s It waits in %s and is tried again every %g minutes.",
                error,
                self._box.waiting,
                self._every,
            )
        self._told = str(error)

    def look(self) -> None:
        """Looks who can see the dataset, and gives it a card if it has none.

        Raises:
            HubError: the Hub refused or cannot be reached.
        """
        with hub.translate_errors(self._repo):
            found = HfApi().dataset_info(self._repo, timeout=hub.TIMEOUT)
        self.visibility = PRIVATE if found.private else PUBLIC
        names = {file.rfilename for file in found.siblings or ()}
        if CARD not in names:
            with suppress(WriteError):  # once more next time
                self._box.add(CARD, _card(self._repo).encode())

    def close(self) -> None:
        """Sends what still waits, if that takes no longer than a few seconds."""
        self._closed.set()
        scheduler = self._scheduler
        if scheduler is not None:
            if self._box.files():
                with suppress(FutureTimeout):
                    scheduler.trigger().result(CLOSING)
            scheduler.stop()
        if left := len(self._box.files()):
            log.warning("%d files of feedback wait in %s.", left, self._box.waiting)


class _Scheduler(CommitScheduler):
    """The Hub's own, which goes on after errors; what it has sent is deleted here."""

    def __init__(self, repo: str, box: Box, every: float, sender: Sender) -> None:
        self._box, self._sender = box, sender
        super().__init__(
            repo_id=repo,
            repo_type="dataset",
            folder_path=box.waiting,
            every=every,
            private=True,  # of a new one; what is public stays so
            allow_patterns=[f"{SET}/*", CARD],
        )

    def push_to_hub(self) -> None:
        """Commits what waits; after a failure it is tried again next time."""
        try:
            self._sender.look()
            with hub.translate_errors(self.repo_id):
                super().push_to_hub()
        except (HubError, OSError) as error:
            self._sender.failed(error if isinstance(error, HubError) else HubError(f"{error}."))
            return
        self._sender.succeeded()
        self._box.sent(self.last_uploaded.items())
        self.last_uploaded.clear()


def _card(repo: str) -> str:
    return f"""---
pretty_name: Feedback to RealityCheck
tags:
- realitycheck
task_categories:
- image-classification
---
# Feedback to RealityCheck

What visitors of a RealityCheck page said of its answers. Nobody has checked it: look at the
pictures before you rely on it.

- `{SET}/SHA256-TRUTH.json`: the truth as the visitor told it (`real`, `ai` or `cannot say`), the
  verdict and the probability of AI that were given, which model gave them, the day, and the SHA-256
  of the file, whose first digits are its fingerprint.
- `{SET}/ai/` and `{SET}/real/`: pictures whose senders agreed to that, without metadata.

```bash
hf download {repo} --repo-type dataset --local-dir feedback
realitycheck evaluate feedback
```

To have something deleted, open a discussion here and name its fingerprint.
"""
