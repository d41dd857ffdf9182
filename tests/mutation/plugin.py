"""A pytest plugin for the tests of one mutant.

The contract comes from solc as it is, without ape's own round of compiling, which takes half as long again. Hypothesis
takes the same examples every time, and reports the first that fails as it is.
"""

from typing import Any

from ape.contracts import ContractContainer
from ethpm_types import ContractType
from hypothesis import Phase, settings

from analysis.devnode.sources import compile_contract
from fl.market import deployment
from tests.mutation.workshop import CONTRACT

# Shrinking a failure takes minutes on a node, and a mutant needs none.
settings.register_profile(
    "mutation", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)


def compiled(project: Any) -> ContractContainer:
    """`HCFL` as the workshop has compiled it; stands for the function of this name in `fl.market.deployment`."""
    artefact = compile_contract(CONTRACT)
    kind = ContractType.model_validate(
        {
            "contractName": artefact.name,
            "abi": artefact.abi,
            "deploymentBytecode": {"bytecode": "0x" + artefact.code.hex()},
            "runtimeBytecode": {"bytecode": "0x" + artefact.runtime.hex()},
        }
    )
    return ContractContainer(kind)


# Before `tests/conftest.py` asks for it.
deployment.compiled = compiled
