"""`ape run crowdfund_round`: a whole round on a real node, with real training, checked to the wei."""

import sys

import click
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from fl.commands.command import Command
from fl.crowdfunding.settings import CONTRIBUTIONS
from fl.training.config import RULES
from fl.training.offered import OFFERED


def _named(setting: str, default: str | None = None) -> str:
    names = list(OFFERED[setting])
    return f"{', '.join(names)}, with arguments if need be.  [default: {default or names[0]}]"


@click.command(cls=Command)
@network_option(default="ethereum:local:foundry")
@click.option("--contract", metavar="ADDRESS", help="Deployment to play the next round on.  [default: a new one]")
@click.option("--owners", type=int, default=4, show_default=True, help="Number of model owners.")
@click.option("--base-stations", type=int, default=4, show_default=True, help="Number of base stations.")
@click.option("--clients", type=int, default=2, show_default=True, help="Edge clients of each base station.")
@click.option("--models", type=int, help="Number of owners that propose a model.  [default: all]")
@click.option(
    "--policy",
    type=click.Choice(["equal", "capability"]),
    default="equal",
    show_default=True,
    help="How owners share the payment.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of every draw: the same seed, the same money.")
@click.option(
    "--theta",
    metavar="θ",
    help="The base stations' part of the surplus, 0.4, or a range that the chain draws it from, 0.2-0.6.  "
    "[default: of 0.2-0.6 what the seed picks; 0 under capability]",
)
@click.option("--stake", type=int, default=0, show_default=True, help="Gwei that each base station stakes.")
@click.option("--tolerance", type=float, default=0.03, show_default=True, help="How far a claim may be missed, 0 … 1.")
@click.option("--dataset", type=click.Choice(["digits", "cifar10"]), default="digits", show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    help="Folder of images to train on: train/<label>/*.jpg and test/<label>/*.jpg (with --dataset cifar10).",
)
@click.option("--model", help=f"{', '.join(OFFERED['model'])}.  [default: the data set's]")
@click.option("--train-images", type=int, help="Training images of each model's labels.  [default: all]")
@click.option("--test-images", type=int, help="Test images to judge each model by.  [default: all]")
@click.option("--rounds", type=int, default=3, show_default=True, help="Global rounds of training.")
@click.option("--local-epochs", type=int, help="κ1: a client's epochs between averages.  [default: the data set's]")
@click.option("--edge-aggregations", type=int, help="κ2: averages at a base station.  [default: the data set's]")
@click.option("--batch-size", type=int, help="Images in a step of a client.  [default: the data set's]")
@click.option("--learning-rate", type=float, help="Of the clients' optimizer.  [default: the data set's]")
@click.option("--momentum", type=float, help="Of the clients' SGD.  [default: the data set's]")
@click.option("--optimizer", metavar="NAME", help=_named("optimizer"))
@click.option("--schedule", metavar="NAME", help=_named("schedule", "none"))
@click.option("--weight-decay", type=float, help="Of the clients' optimizer.  [default: its own]")
@click.option("--gradient-clip", type=float, help="Most that the norm of a step's gradient is.  [default: no limit]")
@click.option("--loss", metavar="NAME", help='"cross_entropy(label_smoothing=0.1)".  [default: cross_entropy]')
@click.option("--proximal", type=float, help="μ of FedProx.  [default: 0]")
@click.option("--augment", is_flag=True, default=None, help="Shift and mirror training images at random.")
@click.option(
    "--precision", type=click.Choice(list(OFFERED["precision"])), help="What clients compute in.  [default: float32]"
)
@click.option("--client-bits", type=int, help="Bits of each parameter that clients send.  [default: whole models]")
@click.option("--strategy", metavar="NAME", default="FedAvg", help=_named("strategy"))
@click.option("--edge-rule", type=click.Choice(RULES), default="mean", help="How clients' models are combined (mean).")
@click.option("--edge-tolerate", type=int, default=0, metavar="F", help="Wrong ones of them that it withstands.")
@click.option(
    "--global-rule", type=click.Choice(RULES), default="mean", help="How base stations' models are combined (mean)."
)
@click.option("--global-tolerate", type=int, default=0, metavar="F", help="Wrong ones of them that it withstands.")
@click.option(
    "--contribution",
    type=click.Choice(CONTRIBUTIONS),
    default="margin",
    show_default=True,
    help="How owners measure what base stations contributed.",
)
@click.option("--workers", type=int, help="Worker processes, 0 for none.  [default: one per core if that is faster]")
@click.option("--alpha", type=float, help="Dirichlet concentration of the clients' data.  [default: IID]")
@click.option("--claim", type=float, help="Accuracy that proposals claim, 0 … 1.  [default: the data set's]")
@click.option("--pilot", type=float, help="Proposals claim what a pilot reaches on this part of the images, 0 … 1.")
@click.option("--non-revealer", is_flag=True, help="The last owner seals its bids and never reveals them.")
@click.option("--bad-winner", is_flag=True, help="The winner reports a model that it has not trained.")
@click.option("--absent-station", is_flag=True, help="The last base station never records an update.")
@click.option("--partial-station", is_flag=True, help="The last base station records half of the global rounds.")
@click.option("--phase-seconds", type=int, default=3600, show_default=True, help="Length of a phase.")
@click.option(
    "--out", type=click.Path(file_okay=False), help="Folder for round.json, models and log.  [default: rounds/<time>]"
)
def cli(provider: ProviderAPI, contract: str | None, out: str | None, **options: object) -> None:
    """Play a whole crowdfunding round.

    Owners and base stations fund a round, propose models, bid under seal, train the selected model, vote and are paid.
    The finished round is written as round.json, told in report.html, and checked: contract against reference, the books
    to the wei, every artefact against its digest. Exits with 1 if anything is off.
    """
    from analysis.check_round import check
    from analysis.report.command import report_of_document
    from fl.crowdfunding.command import run

    if not run(options, provider, contract, out, check, report_of_document):
        sys.exit(1)
