"""`aws-parallelizer doctor`: what a launch needs, checked before it costs money.

Each check looks (`looks_*`: at AWS, by calls that change nothing) and then judges (all other
modules: pure, facts in and a Finding out). A check that cannot be made says why and fails nothing.
"""
