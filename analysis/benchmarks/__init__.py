"""What it costs to play a round, on chain and off: the contract's gas and throughput, the speed of training."""
