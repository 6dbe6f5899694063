# make run    start Signalbox (the first time makes .venv, which takes a minute)
# make test   everything that has to hold before a change goes in
# make hostile, make bench   the long ones

PYTHON = .venv/bin/python
TESTS = tests

.PHONY: run test set-up set-up-run checks hostile bench

run: set-up-run
	@exec $(PYTHON) manage.py up

test: set-up checks
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TESTS)

hostile: set-up
	@$(PYTHON) -m pytest tests/hostile --hostile=full

bench: set-up
	@$(PYTHON) -m bench

set-up:
	@sh .ci/set-up

set-up-run:
	@sh .ci/set-up run

checks:
	@sh .ci/checks
