"""What `ape run membership` does: a member's key card, and the list of all members."""

from pathlib import Path
from typing import Any

from fl.atomic import write_atomically
from fl.market.connection import InWallet, signing
from fl.market.membership_file import MembershipList, read_csv
from fl.market.refusals import MarketError
from fl.market.terms import ROLES
from fl.market.terms_file import POLICIES
from fl.members.access import Access
from fl.members.journal import Journal
from fl.store.keys import EncryptionKey, KeyCard

Answer = tuple[dict[str, Any], list[str]]
"""For a program, and for a person."""


def make_list(access: Access, table: Path, policy: str, out: Path) -> Answer:
    """Sign a table of members and write the list.

    Raises:
        Fault: a line is not as it has to be, or nobody is there to sign.
    """
    members = read_csv(table, POLICIES[policy])
    account = access.signer()
    if out.exists():
        raise MarketError(f"{out} is there already: name another file with --out, or move it away")
    with access.domain() as domain:
        made = MembershipList.made(domain, members, str(account.address), signing(account))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, made.to_bytes())
    root = "0x" + made.root.hex()
    counts = {word: len(made.side(role)) for word, role in ROLES.items()}
    document = {"file": str(out), "root": root, "maker": made.maker, "members": counts}
    sides = " and ".join(f"{count} {word}s" for word, count in counts.items())
    return document, [f"{sides}, signed by {made.maker}", f"root {root}", f"Written: {out}"]


def make_card(access: Access, journal: Path | None, new_key: bool, out: Path | None) -> Answer:
    """Sign the card of a member's encryption key, and of a new one where its journal has none.

    Args:
        access: who, and for which deployment.
        journal: where the private key is kept; None: as member.yaml says.
        new_key: make another key; those before it are kept, for what was sealed to them.
        out: where the card is written; None: beside the journal. There is none where a wallet has to sign it.

    Raises:
        Fault: no journal is named, or it is somebody else's.
    """
    account = access.signer()
    if journal is None and access.configuration is not None:
        journal = access.configuration.journal
    if journal is None:
        raise MarketError("no journal is named: --journal ./alice.sqlite, or --config member.yaml")
    address = str(account.address)
    with access.domain() as domain, Journal(journal, address, domain.chain_id, domain.contract) as kept:
        keys = kept.keys()
        key = EncryptionKey(keys[-1]) if keys and not new_key else EncryptionKey.generate()
        # Kept before anybody can seal anything to it.
        kept.keep_key(key.secret)
        if isinstance(account, InWallet):
            return {"account": address, "public_key": key.public_key, "journal": str(journal)}, [
                f"The public key of {address} is {key.public_key}",
                "Have the wallet sign its card, on the page to take part of `ape run explorer`",
                f"The private key is in {journal}, for nobody else",
            ]
        card = KeyCard.signed(address, key, signing(account))
    path = out or journal.with_suffix(".card.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, card.to_bytes() + b"\n")
    document = {"file": str(path), "account": address, "public_key": card.public_key, "journal": str(journal)}
    return document, [
        f"The key card of {address} is {path}: hand it to who makes the membership list",
        f"The private key is in {journal}, for nobody else",
    ]
