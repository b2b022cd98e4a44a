# The front door; everything it does is a CMake preset that works without it.
PRESET ?= release
BUILD := $(if $(filter release,$(PRESET)),build,build-$(PRESET))

.PHONY: all setup setup-tests configure demo test install package gpu-package bench fuzz docs format clean
# What is installed; `make test` builds the tests, too.
all: configure
	cmake --build --preset $(PRESET) --target products

setup:
	@.ci/setup

configure: setup
	@cmake --preset $(PRESET) 

setup-tests: setup
	@.ci/setup tests

test: configure setup-tests
	cmake --build --preset $(PRESET)
	ctest --preset $(PRESET)

# For example: make install PREFIX=$$HOME/aft
PREFIX ?= /usr/local
install: all
	cmake --install $(BUILD) --prefix $(PREFIX)

package: all
	@.ci/setup package
	cpack --config $(BUILD)/CPackConfig.cmake

# What all checks and benchmarks on a GPU need: see test/gpu/README.md.
gpu-package: configure
	cmake --build --preset $(PRESET) --target gpu-package

demo: configure
	cmake --build --preset $(PRESET) --target demo

# For example: make bench ARGS="--quick --threads=2"
bench: configure
	AFT_BENCH_FLAGS="$(ARGS)" cmake --build --preset $(PRESET) --target bench

# For example: make fuzz ARGS="npy safetensors -runs=100000"
# PRESET=fuzz instruments everything, not the readers of files alone. Only the targets
# that are named are built.
fuzzed := $(patsubst %,fuzz-%,$(filter-out -%,$(ARGS)))
fuzz: configure setup-tests
	cmake --build --preset $(PRESET) --target $(or $(fuzzed),fuzz-targets) fuzz-make-seeds
	AFT_FUZZ_FLAGS="$(ARGS)" cmake --build --preset $(PRESET) --target fuzz

docs: configure
	cmake --build --preset $(PRESET) --target docs

format:
	git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

clean:
	rm -rf $(BUILD)
