"""Flower's simulation: clients are Ray actors, each with one module that stays."""

# mypy: disable-error-code="import-not-found,misc,untyped-decorator"
# The environment that the project is checked in does not have Flower.

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from torch import nn

from analysis.benchmarks.training import inputs
from analysis.benchmarks.training.contenders import sgd
from analysis.benchmarks.training.contenders.job import Job

client_app = ClientApp()


@lru_cache(maxsize=1)
def _resident(data: str, device: str) -> nn.Module:
    return inputs.read(Path(data)).module().to(device)


@client_app.train()
def _train(message: Message, context: Context) -> Message:
    told = message.content["config"]
    setting = inputs.read(Path(str(told["data"])))
    workload = setting.workload
    client, device = int(context.node_config["partition-id"]), str(told["device"])
    module = _resident(str(told["data"]), device)
    module.load_state_dict(message.content["arrays"].to_torch_state_dict())
    samples = setting.clients[client].to(device)
    orders = setting.orders(int(told["server-round"]) - 1, client)
    steps = sgd.train(module, samples, orders, workload.batch_size, workload.learning_rate, workload.momentum)
    numbers = {
        "num-examples": len(samples),
        "steps": steps,
        # of the first round only, which is not among the timed ones: it is a check and no work that all contenders do
        "digest": inputs.images_digest(samples) if told["server-round"] == 1 else 0,
    }
    content = {"arrays": ArrayRecord(module.state_dict()), "metrics": MetricRecord(numbers)}
    return Message(content=RecordDict(content), reply_to=message)


def _collect(replies: Sequence[RecordDict], weighted_by: str) -> MetricRecord:
    """The sum of the clients' steps, and their digests."""
    metrics = [reply["metrics"] for reply in replies]
    return MetricRecord(
        {"steps": sum(each["steps"] for each in metrics), "digests": [each["digest"] for each in metrics]}
    )


class _Collecting(FedAvg):
    """Federated averaging that keeps what the clients counted in each global round."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.counted: list[MetricRecord] = []

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        arrays, counted = super().aggregate_train(server_round, replies)
        self.counted.append(counted)
        return arrays, counted


def run(job: Job) -> None:
    """Play the job; options: "resources" of a client (None: Flower's defaults)."""
    setting = inputs.read(job.data)
    server_app = ServerApp()

    @server_app.main()
    def _serve(grid: Grid, context: Context) -> None:
        module, test = setting.module().to(job.device), setting.dataset.test.to(job.device)
        parties = setting.workload.parties
        strategy = _Collecting(
            fraction_evaluate=0.0,
            min_train_nodes=parties,
            min_available_nodes=parties,
            train_metrics_aggr_fn=_collect,
        )

        def judge(server_round: int, arrays: ArrayRecord) -> MetricRecord:
            module.load_state_dict(arrays.to_torch_state_dict())
            accuracy = sgd.judge(module, test)
            if server_round:
                job.round_ends(strategy.counted[-1]["steps"], accuracy)
            return MetricRecord({"accuracy": accuracy})

        job.begins(setting.initial)
        told = ConfigRecord({"data": str(job.data), "device": job.device})
        strategy.start(grid, ArrayRecord(setting.initial), job.rounds, train_config=told, evaluate_fn=judge)
        state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
        job.ends(state, strategy.counted[0]["digests"])

    config = {"client_resources": job.options["resources"]} if job.options.get("resources") else None
    run_simulation(server_app, client_app, setting.workload.parties, backend_config=config)
