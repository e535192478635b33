# `make demo` and `make test` work on a fresh Debian machine that has Rust; see script/setup.

.PHONY: help demo test fuzz lint setup clean

help:
	@echo 'make demo   nginx on port 80 as an ordinary user with one capability (root)'
	@echo 'make test   every test, Rust and Elixir (as root: none is left out)'
	@echo 'make fuzz   every parser and the agent under a fuzzer, ten minutes each (FUZZ_SECONDS=600)'
	@echo 'make lint   formats, warnings, types, documentation'
	@echo 'make bench  speed beside that of other launchers (root); bench-short for a glance'
	@echo 'make setup  installs what the others need'
	@echo 'make clean  removes what they built'

demo: setup
	@script/demo

test: setup
	@script/test

fuzz: setup
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} script/fuzz

lint: setup
	@script/lint

bench: setup
	@bench/run

bench-short: setup
	@bench/run --short

setup:
	@script/setup

clean:
	rm -rf _build target
