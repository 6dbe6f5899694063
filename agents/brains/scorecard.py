"""The brain that only weighs: the scorecard gives score and reasons, the ordered choices give the play."""

from __future__ import annotations

from agents.brains.contract import Thought
from agents.rules.history import history_reason
from agents.rules.paths import Document
from agents.rules.plays import PlayChoices
from agents.rules.scoring import Scorecard


class ScorecardBrain:
    """Pure. What went before on the account is cited in a reason of its own, after the weighted ones."""

    name = "scorecard"
    version = "1"
    networked = False

    def decide(self, document: Document, *, scorecard: Scorecard, choices: PlayChoices) -> Thought:
        """Below the scorecard's threshold no play is chosen."""
        result = scorecard.score(document)
        reasons = result.reasons
        earlier = history_reason(document.get("history") or {})
        if earlier is not None:
            reasons.append(earlier)
        if result.reached:
            choice = choices.choose(document, score=result.score, confidence_pct=result.confidence_pct)
            play, why = choice.play, choice.why
        else:
            play, why = None, f"No play: score {result.score} is below the threshold {scorecard.threshold}"
        return Thought(result.score, result.confidence_pct, reasons, play, why, self.name, self.version)
