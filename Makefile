# One line each; what they do stands in scripts/ and in the program's --help.
.PHONY: run test nightly mutants fuzz lint bench setup setup-run bless release-day dist
# On a terminal cargo shows how far a build is; a log has the warnings and errors of it.
quiet := $(shell test -t 2 || echo --quiet)
run: setup-run ; cargo run $(quiet) -- run
# Two tests a core: those that wait for a guest or a timeout run beside those that compute.
test: export RUST_TEST_THREADS ?= $(shell echo $$(($$(nproc) * 2)))
test: setup ; cargo test $(quiet) --workspace
nightly: setup ; scripts/nightly $(PARTS)
mutants: setup ; cargo test --quiet --bench mutants
fuzz: ; CPUID_FIDELITY_FUZZ=10 cargo test --quiet --profile fuzz --test fuzz
lint: ; scripts/lint
bench: setup ; cargo bench --quiet --bench cases
setup: ; @scripts/setup test
setup-run: ; @scripts/setup run
bless: setup ; INSTA_UPDATE=new CPUID_FIDELITY_PROFILE=nightly cargo test --quiet --test fidelity
release-day: setup ; cargo run --quiet -- release-day --notes release-day.md
dist: ; scripts/dist/build
