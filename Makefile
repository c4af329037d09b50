# `make help` lists what can be done. Everything that is built or fetched goes into .build/ and build/.

PYTHON := build/venv/bin/python
SOURCES := Sources Tests Package.swift

.PHONY: help setup build run test test-llama prove bench format lint check-format

help: ## this list
	@sed --quiet 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand --tabs=22

setup: ## install what is missing for building and testing (apt packages need root)
	@tools/setup test

build: ## build the release executables into .build/release
	@tools/setup run
	@tools/build release

run: build ## build, start everything with config/demo.yaml, stop on Ctrl-C
	@tools/run

test: ## style, unit tests, then the real executables driven as a user would
	@tools/setup test
	@tools/test

test-llama: ## the official client through Lumen to a real llama.cpp server, which is built first (ten minutes, once)
	@tools/setup llama
	@tools/llama
	@tools/build debug
	@$(PYTHON) -m pytest Tests/Llama

prove: ## a million simulated requests and hundreds of real crashes: nothing overspent, lost or leaked (half an hour)
	@tools/setup test
	@tools/prove

bench: ## CPU, latency and memory of the whole path beside a bare nginx; one JSON line per case
	@tools/setup bench
	@tools/build release
	@$(PYTHON) Tests/Benchmarks/bench.py

format: ## rewrite the Swift sources in the project's format
	@swift format --in-place --parallel --recursive $(SOURCES)

check-format: ## fail when `make format` would change something
	@swift format lint --strict --parallel --recursive $(SOURCES)

lint: check-format ## check-format, and the project's own rules of tidiness
	@/usr/bin/python3 tools/tidy.py
