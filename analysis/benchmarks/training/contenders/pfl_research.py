"""pfl-research: its simulated backend, one user after the other in one process."""

# mypy: disable-error-code="import-not-found,misc"
# The environment that the project is checked in does not have pfl-research.

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders import sgd
from analysis.benchmarks.training.contenders.job import Job
from analysis.benchmarks.training.inputs import Inputs
from fl.training.data.dataset import Samples, to_input

_EVALUATION_BATCH = 500


class _Judged(nn.Module):
    """The model with the two methods that pfl-research asks for."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.criterion = nn.CrossEntropyLoss()

    def loss(self, images: torch.Tensor, labels: torch.Tensor, eval: bool = False) -> torch.Tensor:
        self.module.train(not eval)
        loss: torch.Tensor = self.criterion(self.module(to_input(images)), labels)
        return loss

    @torch.no_grad()
    def metrics(self, images: torch.Tensor, labels: torch.Tensor, eval: bool = True) -> dict[str, Any]:
        from pfl.metrics import Weighted

        return {"loss": Weighted(float(self.loss(images, labels, eval=True)) * len(labels), len(labels))}


def run(job: Job) -> None:
    """Play the job.

    In its first round pfl-research also evaluates every user's model on the user's images, before and after training.
    """
    os.environ["PFL_PYTORCH_DEVICE"] = job.device
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.aggregate.weighting import WeightByDatapoints
    from pfl.algorithm.base import NNAlgorithmParams
    from pfl.algorithm.federated_averaging import FederatedAveraging
    from pfl.callback.base import TrainingProcessCallback
    from pfl.data.dataset import Dataset
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.sampling import MinimizeReuseUserSampler
    from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
    from pfl.metrics import Metrics
    from pfl.model.pytorch import PyTorchModel

    setting = inputs.read(job.data)
    workload = setting.workload
    module = _Judged(setting.module())
    model = PyTorchModel(
        module,
        local_optimizer_create=partial(torch.optim.SGD, momentum=workload.momentum),
        central_optimizer=torch.optim.SGD(module.parameters(), lr=1.0),
    )
    test = setting.dataset.test.to(job.device)
    steps = 0

    class Shuffled(Dataset):
        """A user's images in another order in each local epoch."""

        def __init__(self, user: int):
            samples = setting.clients[user].to(job.device)
            super().__init__((samples.inputs, samples.labels), user_id=str(user))
            self._orders = _orders(setting, user, job.rounds)

        def iter(self, batch_size: int | None) -> Iterator[list[torch.Tensor]]:
            nonlocal steps
            if batch_size == _EVALUATION_BATCH:
                yield from super().iter(batch_size)
                return
            assert batch_size == workload.batch_size
            for part in next(self._orders).to(job.device).split(batch_size):
                yield [tensor[part] for tensor in self.raw_data]
                steps += 1

    users = [Shuffled(user) for user in range(workload.parties)]
    backend = SimulatedBackend(
        FederatedDataset(users.__getitem__, MinimizeReuseUserSampler(range(workload.parties))),
        val_data=FederatedDataset(users.__getitem__, MinimizeReuseUserSampler(range(workload.parties))),
        postprocessors=[WeightByDatapoints()],
    )

    class Watch(TrainingProcessCallback):
        def on_train_begin(self, *, model: Any) -> Any:
            sgd.judge(module.module, test)
            return Metrics()

        def after_central_iteration(self, aggregate_metrics: Any, model: Any, *, central_iteration: int) -> Any:
            nonlocal steps
            job.round_ends(steps, sgd.judge(module.module, test))
            steps = 0
            return False, Metrics()

    job.begins(_state(module.module))
    FederatedAveraging().run(
        NNAlgorithmParams(job.rounds, evaluation_frequency=job.rounds, train_cohort_size=len(users), val_cohort_size=0),
        backend,
        model,
        NNTrainHyperParams(
            local_batch_size=workload.batch_size,
            local_num_epochs=workload.local_epochs,
            local_learning_rate=workload.learning_rate,
        ),
        NNEvalHyperParams(_EVALUATION_BATCH),
        callbacks=[Watch()],
    )
    job.ends(_state(module.module), [inputs.images_digest(Samples(*user.raw_data)) for user in users])


def _orders(setting: Inputs, user: int, rounds: int) -> Iterator[torch.Tensor]:
    for global_round in range(rounds):
        yield from setting.orders(global_round, user)


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
