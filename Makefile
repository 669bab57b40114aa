# dermport: every target is one line in `make help`. Set variables on the command line, for example
#   make distill export DATA=path/to/isic2019 WEIGHTS=path/to/weights
PYTHON ?= python3
VENV ?= .venv
RECIPE ?= ssd_kd
BUDGET ?= auto
DATA ?=
WEIGHTS ?= $(DERMPORT_WEIGHTS)
PAIR ?= $(if $(DATA),,resnet18:mobilenet_v2)
TABLES ?= auto
TIME ?=
ARGS ?=
ONLY ?=
AWARE ?=
COMPARE ?=
PHONE ?=
REPORT ?=
RUNNER ?=
NETWORK ?=
LEAVE_OUT ?=
MASKS ?=
JSON ?=

# `make DATA=~/x` reaches the commands as it is typed: not every shell expands a ~ in it.
home = $(patsubst ~/%,$(HOME)/%,$(1))
comma := ,
# A value as one word of the shell, whatever quotes or spaces are in it.
quoted = '$(subst ','\'',$(1))'
override DATA := $(call home,$(DATA))
override WEIGHTS := $(call home,$(WEIGHTS))
# A folder that is also a target or part of a name is written without a slash at its end.
unslashed = $(if $(filter %/,$(1)),$(call unslashed,$(patsubst %/,%,$(1))),$(1))
folder = $(call unslashed,$(call home,$(1)))

SAMPLE := data/sample
SOURCE := $(or $(DATA),$(SAMPLE))
RUN ?= runs/$(RECIPE)$(if $(DATA),,-sample)
OUT ?= artifacts/$(notdir $(RUN))
# Which of the three a person named; otherwise they are this file's own.
NAMED := $(filter-out file,$(origin RUN) $(origin RECIPE) $(origin OUT))
override RUN := $(call folder,$(RUN))
override OUT := $(call folder,$(OUT))
ifneq ($(words $(RUN)) $(words $(OUT)) $(words $(RECIPE)),1 1 1)
$(error RUN, OUT and RECIPE have no spaces, got RUN="$(RUN)" OUT="$(OUT)" RECIPE="$(RECIPE)")
endif
ifneq ($(findstring :,$(RUN)$(OUT)),)
$(error RUN and OUT have no colon, got RUN="$(RUN)" OUT="$(OUT)")
endif

RELEASED := models/mobilenet_v2-ssd_kd

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
TRAIN := $(VENV)/.train
EXPORT := $(VENV)/.export
DEV := $(VENV)/.dev
# Two processes of one thread each; the tests of a file stay together, for they share what is dear.
WORKERS := --numprocesses 2 --dist loadfile
# An environment of its own: the last version whose analyzer names what a GPU does not take needs an
# old numpy, and Python 3.11.
TENSORFLOW := $(VENV)-tensorflow

.PHONY: help setup sample distill finetune export benchmark phone web report trust leave-out opinions arm-parity app-model app-test app-speed tables test test-all lint doctor bench-training clean
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list all targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(EXPORT) ## install everything that training and export need

sample: $(SAMPLE)/labels.csv ## draw the synthetic sample data set

# An unfinished run is gone on with; a finished one is left as it is, if it has these settings.
distill: $(TRAIN) $(if $(DATA),,$(SAMPLE)/labels.csv) ## train a student (DATA, RECIPE, BUDGET, PAIR, WEIGHTS, TIME, ARGS)
	$(BIN)/python -m distill train $(call quoted,$(RECIPE)) --data $(call quoted,$(SOURCE)) --out $(call quoted,$(RUN)) --budget $(call quoted,$(BUDGET)) --resume \
	  $(if $(PAIR),--pair $(call quoted,$(PAIR))) $(if $(WEIGHTS),--weights-dir $(call quoted,$(WEIGHTS))) $(if $(TIME),--time-budget $(call quoted,$(TIME))) $(ARGS)
	@test -f $(call quoted,$(RUN)/student.safetensors) || { echo $(call quoted,$(RUN) is not finished; the same command goes on.); exit 1; }

finetune: $(EXPORT) ## train the student's weights and ranges on for its int8 files (RUN, DATA, TIME, ARGS)
	$(BIN)/python -m export finetune $(call quoted,$(RUN)) --out $(call quoted,$(RUN)_int8) $(if $(DATA),--data $(call quoted,$(DATA))) \
	  $(if $(wildcard $(RUN)_int8/state.safetensors),--resume) $(if $(TIME),--time-budget $(call quoted,$(TIME))) $(ARGS)
	@test -f $(call quoted,$(RUN)_int8/aware.safetensors) || { echo $(call quoted,$(RUN)_int8 is not finished; the same command goes on.); exit 1; }
	@echo $(call quoted,make export AWARE=$(RUN)_int8 puts it into the int8 files.)

export: $(EXPORT) ## write the phone files of the trained student, or of the released one (RUN, OUT, ONLY, AWARE)
	@if test -f $(call quoted,$(RUN)/student.safetensors) || test -n '$(NAMED)'; \
	then run=$(call quoted,$(RUN)) out=$(call quoted,$(OUT)); \
	else run='$(RELEASED)' out='artifacts/$(notdir $(RELEASED))'; echo $(call quoted,$(RUN) holds no student; exporting the released one$(comma) $(RELEASED)); fi; \
	$(BIN)/python -m export run "$$run" --out "$$out" $(if $(DATA),--data $(call quoted,$(DATA))) $(if $(ONLY),--only $(foreach format,$(ONLY),$(call quoted,$(format)))) $(if $(AWARE),--aware $(call quoted,$(call home,$(AWARE))))

# Results are kept in figures/, from where `make report` takes what there is.
benchmark: $(EXPORT) ## time the exported files beside each other, quick (RUN, OUT)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m benchmarks latency "$$out" --quick --json "figures/$${out##*/}/latency.json"

report: $(EXPORT) ## put all figures of the exported files on one page (RUN, OUT, PHONE, COMPARE, REPORT)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then run=$(call quoted,$(RUN)) out=$(call quoted,$(OUT)); else run='$(RELEASED)' out='artifacts/$(notdir $(RELEASED))'; fi; \
	figures="figures/$${out##*/}"; set -- "$$out"; \
	for kind in parity latency flops quantization phone opinions arm trust; do if test -f "$$figures/$$kind.json"; then set -- "$$@" "--$$kind" "$$figures/$$kind.json"; fi; done; \
	if test -f "$$figures/web.json"; then set -- "$$@" --phone "$$figures/web.json"; fi; \
	if test -f "$$run/metrics.json"; then set -- "$$@" --metrics "$$run/metrics.json"; fi; \
	$(BIN)/python -m benchmarks report "$$@" $(if $(PHONE),--phone $(foreach file,$(PHONE),$(call quoted,$(call home,$(file))))) \
	  $(if $(COMPARE),--compare $(call quoted,$(call home,$(COMPARE)))) $(if $(REPORT),--out $(call quoted,$(call home,$(REPORT))))

# Of the student alone where nothing is exported yet; what was answered before is not asked again.
trust: $(EXPORT) ## measure calibration, unknown, where it looked and groups (RUN, OUT, DATA, MASKS, LEAVE_OUT, ARGS)
	@if test -f $(call quoted,$(RUN)/student.safetensors) || test -n '$(NAMED)'; \
	then run=$(call quoted,$(RUN)) out=$(call quoted,$(OUT)); else run='$(RELEASED)' out='artifacts/$(notdir $(RELEASED))'; fi; \
	set -- "$$run"; if test -f "$$out/manifest.json"; then set -- "$$@" --artifacts "$$out"; fi; \
	$(BIN)/python -m benchmarks trust "$$@" $(if $(DATA),--data $(call quoted,$(DATA))) $(if $(MASKS),--masks $(call quoted,$(call home,$(MASKS)))) \
	  $(if $(LEAVE_OUT),--leave-out $(call quoted,$(call home,$(LEAVE_OUT)))) --out results/trust $(ARGS) && \
	mkdir -p "figures/$${out##*/}" && cp results/trust/trust.json "figures/$${out##*/}/trust.json"

leave-out: $(EXPORT) ## train students that never saw one class, for make trust LEAVE_OUT=runs/leave_out (RUN, DATA, WEIGHTS, TIME)
	@if test -f $(call quoted,$(RUN)/student.safetensors) || test -n '$(NAMED)'; then run=$(call quoted,$(RUN)); else run='$(RELEASED)'; fi; \
	$(BIN)/python -m benchmarks leave-out "$$run" --out runs/leave_out $(if $(DATA),--data $(call quoted,$(DATA))) \
	  $(if $(WEIGHTS),--weights-dir $(call quoted,$(WEIGHTS))) $(if $(TIME),--time-budget $(call quoted,$(TIME))) $(ARGS)

arm-parity: $(EXPORT) ## compare the files on emulated ARM processors with x86 (RUN, OUT)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m benchmarks arm "$$out" --json "figures/$${out##*/}/arm.json"

opinions: $(EXPORT) $(TENSORFLOW)/.done ## ask TensorFlow and reference kernels about the exported files (RUN, OUT)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m benchmarks opinions "$$out" --tensorflow $(TENSORFLOW)/bin/python --json "figures/$${out##*/}/opinions.json"

phone: $(EXPORT) ## run the exported .tflite files on connected phones (RUNNER, RUN, OUT, JSON, ARGS)
	@test -n $(call quoted,$(RUNNER)) || { echo 'RUNNER=path/to/benchmark_model is missing; docs/phone.md says where to get it.'; exit 2; }
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m benchmarks phone "$$out" --runner $(call quoted,$(call home,$(RUNNER))) --json $(if $(JSON),$(call quoted,$(call home,$(JSON))),"figures/$${out##*/}/phone.json") $(ARGS)

# NETWORK=1 chooses this computer's address in the network, NETWORK=192.168.1.20 names it.
web: $(EXPORT) .web/packages.json ## run the exported files in a phone's browser (NETWORK, RUN, OUT, JSON, ARGS)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m benchmarks web "$$out" $(if $(NETWORK),--network $(filter-out 1,$(NETWORK))) \
	  --json $(if $(JSON),$(call quoted,$(call home,$(JSON))),"figures/$${out##*/}/web.json") $(ARGS)

app-model: $(EXPORT) ## put the int8 file of the latest export into the Android demo (RUN, OUT)
	@if test -f $(call quoted,$(OUT)/manifest.json) || test -n '$(NAMED)'; \
	then out=$(call quoted,$(OUT)); else out='artifacts/$(notdir $(RELEASED))'; fi; \
	$(BIN)/python -m android_demo.check model "$$out"

app-test: $(DEV) ## compile and test the Android demo as far as it goes without a phone
	$(BIN)/python -m android_demo.check golden --check
	$(BIN)/python -m android_demo.check core
	$(BIN)/python -m android_demo.check litert
	$(BIN)/python -m android_demo.check app
	$(BIN)/python -m android_demo.check screens --check
	$(BIN)/python -m android_demo.check speed --rounds 5
	$(BIN)/python -m pytest -q tests/android_demo tests/test_ios_doc.py

app-speed: $(EXPORT) ## time the demo's preprocessing beside Pillow's (JSON)
	$(BIN)/python -m android_demo.check speed $(if $(JSON),--json $(call quoted,$(call home,$(JSON))))

tables: $(TRAIN) | $(if $(DATA),,$(SAMPLE)/labels.csv) ## train and measure the rows of the paper's tables (DATA, TABLES, PAIR, WEIGHTS, TIME)
	$(BIN)/python -m distill tables --data $(call quoted,$(SOURCE)) --budget $(call quoted,$(TABLES)) $(if $(PAIR),--pair $(call quoted,$(PAIR))) \
	  $(if $(WEIGHTS),--weights-dir $(call quoted,$(WEIGHTS))) $(if $(TIME),--time-budget $(call quoted,$(TIME)))

test: $(DEV) ## run the test suite
	$(BIN)/python -m pytest -q $(WORKERS) -m "not slow"

test-all: $(DEV) ## run the test suite with the slow tests
	$(BIN)/python -m pytest -q $(WORKERS)

lint: $(DEV) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

doctor: $(TRAIN) ## say what is installed, what can run here and what is missing
	$(BIN)/python -m distill doctor

bench-training: $(TRAIN) ## images per second of the training loop beside the bare networks
	$(BIN)/python -m benchmarks training --floor 0.85

clean: ## remove the synthetic sample and what was trained and exported from it
	rm -rf $(SAMPLE) $(call quoted,runs/$(RECIPE)-sample) $(call quoted,artifacts/$(RECIPE)-sample)

$(SAMPLE)/labels.csv: | $(TRAIN)
	$(BIN)/python -m distill sample $(SAMPLE)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

.web/packages.json: benchmarks/web/packages.py | $(EXPORT)
	$(BIN)/python -m benchmarks web --fetch

$(TENSORFLOW)/.done:
	$(PYTHON) -m venv $(TENSORFLOW)
	$(TENSORFLOW)/bin/python -m pip --disable-pip-version-check install --quiet 'tensorflow-cpu==2.15.1' 'numpy<2'
	@touch $@

$(TRAIN): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[train]'
	@touch $@

$(EXPORT): $(TRAIN)
	$(PIP) --editable '.[all]'
	@touch $@

$(DEV): $(EXPORT)
	$(PIP) --editable '.[all,dev]'
	@touch $@
