# The front door; everything it does is a CMake preset that works without it.
PRESET ?= release
BUILD := $(if $(filter release,$(PRESET)),build,build-$(PRESET))

.PHONY: all setup setup-tests configure demo test bench fuzz docs format clean
all: configure
	cmake --build --preset $(PRESET)

setup:
	@.ci/setup

configure: setup
	@cmake --preset $(PRESET) 

setup-tests: setup
	@.ci/setup tests

test: all setup-tests
	ctest --preset $(PRESET)

demo: configure
	cmake --build --preset $(PRESET) --target demo

# For example: make bench ARGS="--quick --threads=2"
bench: configure
	AFT_BENCH_FLAGS="$(ARGS)" cmake --build --preset $(PRESET) --target bench

# For example: make fuzz ARGS="npy safetensors -runs=100000"
fuzz: setup-tests
	cmake --preset fuzz
	AFT_FUZZ_FLAGS="$(ARGS)" cmake --build --preset fuzz --target fuzz

docs: configure
	cmake --build --preset $(PRESET) --target docs

format:
	git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

clean:
	rm -rf $(BUILD)
