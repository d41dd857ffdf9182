"""What the members of a crowdfunding round run: `fl.training` (knows no chain), `fl.market` (knows no torch), `fl.artefacts`."""
