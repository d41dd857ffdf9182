"""Which run it is: what two processes must have in common to train one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fl.training.crews.ranks import Group
from fl.training.errors import TrainingError
from fl.training.federation import Federation


def identity_of(federation: Federation) -> dict[str, Any]:
    """What two processes must have in common to train one run, as JSON holds it.

    The number of rounds is not in it, so that a run can be prolonged; nor is where the data lie, but what they are.
    """
    config = asdict(federation.config)
    for name in ("rounds", "data_dir", "model", "station", "device"):
        del config[name]
    station = {f"station.{name}": value for name, value in asdict(federation.stations[0].config).items()}
    device = federation.dataset.test.labels.device.type
    data = {"targets": federation.dataset.label_names, "data": federation.dataset.digest()}
    return {**config, **station, **data, "model": federation.model.name, "device": device}


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Sequence[str]:
    """In what two identities differ, for people."""
    return [
        f"{name} is {there.get(name)} there, {here.get(name)} here"
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    ]


def check_alike(federation: Federation, group: Group) -> None:
    """Check that all ranks were started for the same run, with the same data.

    Raises:
        TrainingError: they were not.
    """
    if group.size == 1:
        return
    mine = {**identity_of(federation), "rounds": federation.config.rounds}
    theirs = group.from_leader(lambda: mine)

    def check() -> None:
        if found := differences(theirs, mine):
            raise TrainingError(f"it was started for another run than rank 0: {'; '.join(found)}")

    group.together(check)
