"""What an update goes through before it is sent: quantisation, clipping, noise."""
