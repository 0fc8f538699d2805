"""Two durable actions: one that takes long, and one that waits for somebody.

Both survive the death of the process that runs them: kill it with ``kill -9`` while a count is
under way, start it again, and the count goes on.
"""

import time

from pydantic import BaseModel, ConfigDict, Field

from licet.actions import (
    ActionFailure,
    ActionProviderBlueprint,
    ActionProviderDescription,
    RunningAction,
)


class CountInput(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"to": 100, "seconds_each": 0.1}})

    to: int = Field(ge=1, le=100_000, description="Where the count ends")
    seconds_each: float = Field(default=0.1, ge=0, le=60, description="How long each number takes")


counter = ActionProviderBlueprint(
    name="count",
    import_name=__name__,
    url_prefix="/count",
    provider_description=ActionProviderDescription(
        globus_auth_scope="https://licet.example/scopes/count",
        title="Count",
        admin_contact="support@whattimeisrightnow.example",
        synchronous=False,
        input_schema=CountInput,
        subtitle="Counts as far as you like, with progress, and can be cancelled",
        log_supported=True,
    ),
)

CHUNK = 10


@counter.durable(max_attempts=5, lease_seconds=10)
def count(action: RunningAction, body: CountInput) -> dict[str, int]:
    """Count in steps of ten numbers: a step that was completed is not counted again."""

    def numbers(first: int, last: int) -> int:
        for number in range(first, last + 1):
            action.raise_if_cancelled()
            time.sleep(body.seconds_each)
            action.progress(number / body.to, f"{number} of {body.to}")
        action.log("COUNTED", f"up to {last}", attempt=action.attempt)
        return last - first + 1

    counted = 0
    for first in range(1, body.to + 1, CHUNK):
        last = min(first + CHUNK - 1, body.to)
        counted += action.step("numbers", numbers, first, last)
    return {"counted": counted}


class LetterInput(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"to": "Ada", "text": "Dear Ada …"}})

    to: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1, max_length=10_000)


letters = ActionProviderBlueprint(
    name="letter",
    import_name=__name__,
    url_prefix="/letter",
    provider_description=ActionProviderDescription(
        globus_auth_scope="https://licet.example/scopes/letter",
        title="Letter",
        admin_contact="support@whattimeisrightnow.example",
        synchronous=False,
        input_schema=LetterInput,
        subtitle="Is sealed at once, and sent when you have agreed",
        log_supported=True,
    ),
)


@letters.durable()
def send_letter(action: RunningAction, body: LetterInput) -> dict[str, object]:
    """Seal the letter, wait until its author resumes the action, then send it."""
    seal = action.step("seal", lambda: f"{len(body.text)} characters for {body.to}")
    action.pause(
        "ConsentRequired",
        f"Resume this action to have {seal} sent.",
        resolution_url=f"/letter/{action.action_id}/resume",
    )
    if "@" in body.to:
        raise ActionFailure("NoSuchPerson", "Letters go to people, not to addresses.")
    return {"sent": seal}
