"""Fakes: in memory, with the methods and the promises of the gateways that they stand for."""
