"""The workers' image, from the laptop's or CI's side: make, look at, publish, verify, prune."""
