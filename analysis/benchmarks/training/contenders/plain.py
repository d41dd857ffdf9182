"""The loop that one writes oneself: client after client in one resident module, with PyTorch's defaults."""

from __future__ import annotations

import torch

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders import sgd
from analysis.benchmarks.training.contenders.job import Job


def run(job: Job) -> None:
    """Play the job."""
    setting = inputs.read(job.data)
    workload = setting.workload
    clients = [samples.to(job.device) for samples in setting.clients]
    test = setting.dataset.test.to(job.device)
    module = setting.module().to(job.device)
    job.begins(setting.initial)
    sgd.judge(module, test)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    total = sum(len(samples) for samples in clients)
    for global_round in range(job.rounds):
        steps = 0
        combined = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
        for number, samples in enumerate(clients):
            module.load_state_dict(state)
            orders = setting.orders(global_round, number)
            steps += sgd.train(module, samples, orders, workload.batch_size, workload.learning_rate, workload.momentum)
            for name, tensor in module.state_dict().items():
                combined[name] += tensor * (len(samples) / total)
        state = combined
        module.load_state_dict(state)
        job.round_ends(steps, sgd.judge(module, test))
    job.ends(state, [inputs.images_digest(samples) for samples in clients])
