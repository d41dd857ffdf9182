"""The contract and a model of the protocol, walked side by side.

The quick walk tells a failure unshrunk. The same test under `--hypothesis-profile=search` shrinks it, walks for long,
and must come to every outcome that a round can have.
"""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Search
from hypothesis.stateful import run_state_machine_as_test

from analysis.devnode.market import Market
from tests.contracts.stateful.ending import OUTCOMES
from tests.contracts.stateful.machine import Protocol

LONG = settings.get_current_profile_name() == "search"
WALKS = settings(
    max_examples=500 if LONG else 30,
    stateful_step_count=30 if LONG else 12,
    phases=tuple(Search) if LONG else (Search.reuse, Search.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_random_walks__any_calls_at_any_time__contract_does_what_the_model_says(deployment: Market) -> None:
    reached: Counter[str] = Counter()

    def machine() -> Protocol:
        return Protocol(deployment, reached)

    run_state_machine_as_test(machine, settings=WALKS)  # type: ignore[arg-type]
    print(*(f"{times:7,} {name}" for name, times in sorted(reached.items())), sep="\n")
    if LONG:
        missed = [outcome for outcome in OUTCOMES if not reached[outcome]]
        assert not missed, f"no walk came to: {missed}"
