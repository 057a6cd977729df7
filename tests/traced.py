"""An experiment with planned failures. A separate module: workers import this one and no test."""

import os
import signal
import time
from pathlib import Path

from noised import Noised

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel


class Traced(Noised):
    """Leaves a note of the process and the group that it begins, and fails as the test requests.

    Attributes:
        fatal: what happens to group 3: an error, a crash at every attempt, or an endless wait.
        kills: after how many evaluations a group loses its worker, the first time.
    """

    def __init__(self, model: VideoModel, schedule: Schedule, notes: Path, fatal: str = ""):
        super().__init__(model, schedule)
        self.notes, self.fatal, self.kills = notes, fatal, {}

    def results_of(self, groups, count=None):
        for runs in groups:
            yield from self._traced(runs)

    def _traced(self, runs):
        group, made = runs[0].index, []
        (self.notes / f"{os.getpid()}.{group}").touch()
        first = len(list(self.notes.glob(f"*.{group}"))) == 1
        if self.fatal == "error" and group == 3:
            raise ValueError("no answer to sample 3")
        if self.fatal == "death" and group == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600 if self.fatal == "wait" and group == 3 else 0.3)

        def evaluated() -> None:
            made.append(group)
            if first and len(made) == self.kills.get(group):
                os.kill(os.getpid(), signal.SIGKILL)

        yield from super().results_of([runs], evaluated)
