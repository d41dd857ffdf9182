"""Hierarchical federated averaging (HierFAVG): clients, base stations, global model; without any chain.

    from fl.training.cloud import train
    from fl.training.config import TrainingConfig
    from fl.training.crews.crew import InProcess
    from fl.training.federation import build_federation

    federation = build_federation(TrainingConfig(dataset="digits", targets=("0", "1", "7"), seed=1))
    for done in train(federation.config, federation.model, InProcess(federation)):
        print(done.global_round, done.evaluation.accuracy)

Each base station is a party of its own, so the same round can be stepped by hand: `Station.train_round` turns
a global model into an `Update`, `aggregate` turns updates into the next global model.

The parts of the system are files here: `client` (local epochs), `station` (a base station and its clients), `cloud`
(global rounds), `average`; beside them `update` (what a base station returns), `federation` (puts the parties
together), `strategy` and `strategies` (what is added to averaging), `participation` (who is missing), `network`
(traffic and simulated time), `accountant` (ε of clients), `pilot` (a forecast of the accuracy), `config`, `named` (what
a setting names by its path), `offered` (what another may name), `seeds`, `errors`.

What they use lies below:

    data/           data sets, their sources and splits, augmentation
    model/          which model, its parameters, its bytes as an artefact, steps of SGD, evaluation, torch's settings
    averaging/      rules that combine models, the exact mean, the cloud's aggregation
    crews/          who plays the base stations: this process, worker processes, streams of a GPU, ranks
    sending/        what an update goes through before it is sent
    contribution/   what base stations contributed, and the points for it
    command/        `python -m fl.training`: options, a run, its folder, its metrics, what it shows

Importing this package, `config`, `errors`, `named`, `data.dataset`, `data.splits`, `model.spec`, `command.options`,
`contribution.methods` or `contribution.points` does not import torch. README.md has the choices and what a run leaves.
"""
