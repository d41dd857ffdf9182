"""Bare forward, backward and step of the plain loop on one batch that stays, as many as a global round has."""

from __future__ import annotations

import torch
from torch import nn

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders.job import Job
from fl.training.data.dataset import to_input


def run(job: Job) -> None:
    """Play the job; what it leaves is no model that could be compared."""
    setting = inputs.read(job.data)
    workload = setting.workload
    module = setting.module().to(job.device)
    batch = setting.clients[0].to(job.device)
    images, labels = to_input(batch.inputs[: workload.batch_size]), batch.labels[: workload.batch_size]
    optimizer = torch.optim.SGD(module.parameters(), lr=workload.learning_rate, momentum=workload.momentum)
    criterion = nn.CrossEntropyLoss()
    steps = workload.steps([len(samples) for samples in setting.clients])
    job.begins(setting.initial)
    for _ in range(job.rounds):
        for _ in range(steps):
            optimizer.zero_grad()
            criterion(module(images), labels).backward()
            optimizer.step()
        if job.device == "cuda":
            torch.cuda.synchronize()
        job.round_ends(steps, 0.0)
    job.ends({}, [])
