#!/bin/sh
PYTHONPATH=packages exec python3 thumbnail.py "$1"
