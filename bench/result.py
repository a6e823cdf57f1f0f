"""What a scenario hands back."""

from msgspec import Struct, field
from msgspec.structs import asdict

from bench.checks import Verdict


class Result(Struct):
    """Figures by name ("group.figure", None where the server's process is not known), and the verdict on all deliveries."""

    figures: dict[str, float | None] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    refused: int = 0
    """Triggers that were not answered with 200."""

    @property
    def is_clean(self) -> bool:
        """Whether the server did all that it was asked for."""
        return self.verdict.is_clean and not self.refused

    def as_json(self) -> dict[str, object]:
        """For the JSON file."""
        return {"figures": self.figures, "deliveries": asdict(self.verdict), "triggers_refused": self.refused}
