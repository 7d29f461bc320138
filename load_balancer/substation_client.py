"""One substation as the dispatcher asks it: in the way that its profile says."""

from grid_common.charge import Session
from grid_common.upstream import Answer, Upstream
from load_balancer.outcome import Outcome, outcome_of
from load_balancer.profile import SubstationProfile

# Of an answer's body only a few members are looked at; thousands of answers that drip in for
# hours must not fill the memory.
_KEPT_BYTES = 4_096


class SubstationClient:
    """Charges vehicles at one address."""

    def __init__(self, upstream: Upstream, profile: SubstationProfile) -> None:
        self.profile = profile  # may change while vehicles charge
        self._upstream = upstream

    def charge(self, session: Session, *, request_id: str) -> tuple[Outcome, Answer]:
        """Hand a vehicle over and wait for the answer; tell what it means too.

        Raises:
            UpstreamError: there is no answer.
        """
        profile = self.profile
        call = profile.call(session)
        answer = self._upstream.request(
            "POST",
            call.path,
            body=call.body,
            headers={"Content-Type": "application/json", "X-Request-ID": request_id},
            keep=_KEPT_BYTES,
        )
        outcome = outcome_of(answer.status, answer.content_type, answer.body)
        if outcome is Outcome.CHARGED and profile.answer == "accepted":
            outcome = Outcome.ACCEPTED
        return outcome, answer

    def close(self) -> None:
        """Hang up, on vehicles once their answers have come."""
        self._upstream.close()
