"""Who plays the base stations, and where: this process, worker processes, or ranks on several machines."""
