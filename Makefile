# SPDX-License-Identifier: MIT OR Apache-2.0
# Commands for people. The build itself is CMake's (CMakePresets.json has the configurations).

# Unit tests, tests of the hosted kernel, and of the kernel image in QEMU. TEST_VM=0 leaves QEMU out.
TEST_VM ?= 1
TEST_BUILDS := build/unit build/unit-tsan build/hosted

.PHONY: help
help:
	@echo 'make run        run a shell in KPIO (without a terminal: a demonstration)'
	@echo 'make test       build all and run all tests; CTEST_ARGS="-R lib" for some, TEST_VM=0 without QEMU'
	@echo 'make vm         boot KPIO in QEMU'
	@echo 'make build      build/bin/kpio and build/bin/kpio.elf'
	@echo 'make test-vm    tests in QEMU alone'
	@echo 'make bench      KPIO against Linux, bwrap and runsc; make bench-vm: in QEMU against Linux'
	@echo 'make fuzz       the system call fuzzer, until interrupted; FUZZ_ARGS="--seconds 60"'
	@echo 'make layers     check the layers and count their lines'
	@echo 'make lint       clang-format and clang-tidy; make format: apply clang-format'
	@echo 'make clean      remove build/'
	@echo 'Missing Debian packages are named and installed first, as root or with sudo.'

.PHONY: build run test test-vm vm bench bench-vm fuzz layers lint format clean
build:
	@scripts/setup build
	@scripts/build hosted x86_64

run:
	@scripts/setup build
	@scripts/build hosted
	@scripts/demo

test:
	@scripts/setup build test $(if $(filter 1,$(TEST_VM)),vm)
	@scripts/build hosted x86_64 unit unit-tsan
	@KPIO_TEST_VM=$(TEST_VM) scripts/test $(TEST_BUILDS)

test-vm:
	@scripts/setup build vm
	@scripts/build hosted x86_64
	@KPIO_TEST_VM=1 CTEST_ARGS='-L qemu $(CTEST_ARGS)' scripts/test build/hosted

vm:
	@scripts/setup build vm
	@scripts/build hosted x86_64
	@scripts/vm

bench:
	@scripts/setup build bench
	@scripts/build hosted
	@bench/run
	@bench/run-programs

bench-vm:
	@scripts/setup build vm bench
	@scripts/build hosted x86_64
	@bench/run-vm

fuzz:
	@scripts/setup build test
	@scripts/build hosted
	@tests/fuzz/run $(FUZZ_ARGS)

layers:
	@scripts/setup build
	@scripts/build hosted
	@build/hosted/bin/check_layers

lint:
	@scripts/setup build lint
	@scripts/lint

format:
	@scripts/setup lint
	@scripts/lint --fix

clean:
	rm -rf build
