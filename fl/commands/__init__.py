"""The commands of members, for `ape run` in a checkout and for `hcfl` where only the package is installed."""
