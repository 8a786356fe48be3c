"""What the words mean and what may follow from what: pure, without AWS, clock or disk."""
