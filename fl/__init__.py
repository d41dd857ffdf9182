"""What the members of a round run: `training` knows no chain, `market` no torch, `store` neither."""
