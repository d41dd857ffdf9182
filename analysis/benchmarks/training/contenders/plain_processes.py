"""The plain loop in several processes that share the device: what Flower's actors compute, without Flower."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders import sgd
from analysis.benchmarks.training.contenders.job import Job
from fl.training.model.artefact import load_state, save_state


def run(job: Job) -> None:
    """Play the job; options: the number of "processes", each of which keeps one module and its share of the clients."""
    setting = inputs.read(job.data)
    context, count = get_context("spawn"), job.options["processes"]
    connections: list[Connection] = []
    for share in range(count):
        here, there = context.Pipe()
        numbers = range(share, setting.workload.parties, count)
        arguments = (there, str(job.data), job.device, numbers, job.rounds)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        there.close()
        connections.append(here)
    test, module = setting.dataset.test.to(job.device), setting.module().to(job.device)
    job.begins(setting.initial)
    sgd.judge(module, test)
    state = setting.initial
    for _ in range(job.rounds):
        for connection in connections:
            connection.send(save_state(state))  # torch would send a file, which ends with the process that made it
        replies: list[tuple[bytes, int]] = [connection.recv() for connection in connections]
        shares = [load_state(data) for data, _ in replies]
        state = {name: torch.stack([share[name] for share in shares]).sum(0) for name in state}
        module.load_state_dict(state)
        job.round_ends(sum(steps for _, steps in replies), sgd.judge(module, test))
    job.ends(state, [inputs.images_digest(samples) for samples in setting.clients])


def _serve(connection: Connection, data: str, device: str, numbers: Sequence[int], rounds: int) -> None:
    """Each global round: receive the model, send the weighted sum of the clients' models and the number of steps."""
    setting = inputs.read(Path(data))
    workload = setting.workload
    clients = {number: setting.clients[number].to(device) for number in numbers}
    total = sum(len(samples) for samples in setting.clients)
    module = setting.module().to(device)
    for global_round in range(rounds):
        state = load_state(connection.recv())
        combined = {name: torch.zeros_like(tensor, device=device) for name, tensor in state.items()}
        steps = 0
        for number, samples in clients.items():
            module.load_state_dict(state)
            orders = setting.orders(global_round, number)
            steps += sgd.train(module, samples, orders, workload.batch_size, workload.learning_rate, workload.momentum)
            for name, tensor in module.state_dict().items():
                combined[name] += tensor * (len(samples) / total)
        connection.send((save_state(combined), steps))
