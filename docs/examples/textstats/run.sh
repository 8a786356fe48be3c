#!/bin/sh
exec python3 stats.py "$1"
