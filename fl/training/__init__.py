"""Hierarchical federated averaging (HierFAVG): clients, base stations, global model; without any chain.

    from fl.training.cloud import train
    from fl.training.config import TrainingConfig
    from fl.training.federation import build_federation

    federation = build_federation(TrainingConfig(dataset="digits", targets=("0", "1", "7"), seed=1))
    for done in train(federation):
        print(done.global_round, done.evaluation.accuracy)

Each base station is a party of its own, so the same round can be stepped by hand: `Station.train_round` turns
a global model into an `Update`, `aggregate` turns updates into the next global model.

One file a part of the system: `client` (local epochs), `edge` (a base station and its clients), `cloud`
(global rounds), `aggregate`, `exact`, `average` and `rules` (how models are combined), `crew`, `pool`, `worker` and
`shared` (who plays the base stations, and where), `spread` and `group` (over ranks), `participation` (who is
missing), `federation` (puts the parties together), `data`, `sources`, `splits` and `augment`, `models`,
`evaluation`, `contribution` and `valuation`, `network` (traffic and simulated time), `state` (artefacts' bytes),
`run`, `checkpoint` and `metrics` (what the command leaves). Importing this package, `config`, `options`, `errors`,
`splits`, `models`, `data` or `contribution` does not import torch. README.md has the choices and what a run leaves.
"""
