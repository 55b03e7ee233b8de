# Everything a user or CI calls. `make` builds; `make try` shows the program at work; `make test` is the whole test suite.
GO ?= go
PYTHON ?= python3
ORT_SHA256 = fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3

.PHONY: build try test vet test-go test-purego cross bench ort test-train test-published ablation bench-peers variants compare-python compare-gradients

build: ctrecon

ctrecon: FORCE
	$(GO) build -trimpath -buildvcs=auto -o $@ ./cmd/ctrecon
FORCE:

# A phantom, re-measured with 25 views, reconstructed; ends with DICOM, a report and the numbers.
# Without the diffusion model where ONNX Runtime cannot be fetched.
try: build
	-@$(MAKE) --no-print-directory ort
	./ctrecon phantom --slices 3 --force thorax
	./ctrecon --angles 25 --force thorax

test: vet test-go test-purego cross

vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...

test-go:
	$(GO) test ./...

test-purego:
	$(GO) test -tags purego ./radon/...

cross:
	GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./radon/... ./ct/solve/... ./phantoms/... ./dicomio/...

# The training code, every command for two steps on synthetic slices. PyTorch comes with pip (5 GB).
test-train: .venv/train.done
	go build -o ldm/train/conditions/conditions ./ldm/train/conditions
	cd ldm/train && OMP_NUM_THREADS=1 ../../.venv/bin/python -m pytest -q tests
.venv/train.done: ldm/train/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -r $< pytest
	touch $@

# CompVis checkpoints with random weights at the published sizes become bundles (10 minutes alone, 10 GB).
test-published: .venv/train.done
	cd ldm/train && CTRECON_PUBLISHED=1 ../../.venv/bin/python -m pytest -q -s tests/test_published.py

# Gradients of every kind of network against PyTorch in float64 (15 minutes); the pilot's with PILOT=folder of its weights.
compare-gradients: .venv/train.done
	.venv/bin/python ldm/vjp/testdata/gradients.py --go $(GO) $(if $(PILOT),--pilot $(PILOT))

# ASTRA and scikit-image beside our projector, one thread, in one run.
bench-peers: build .venv/peers.done
	.venv/bin/python radon/peers/bench.py ./ctrecon $(GO)
.venv/peers.done: radon/peers/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -r $<
	touch $@

# The choices of resample one by one (an hour and more): make ablation CTDATA=path
ablation: build ort
	sh docs/ablate.sh $(CTDATA)

# Other numbers of views, arcs, detectors and noise with the same settings: make variants CTDATA=path
variants: build ort
	sh docs/variants.sh $(CTDATA)

# The same sampler in Python and here on the same slices and weights: make compare-python CTDATA=path RUN=path
compare-python: build ort
	sh docs/python.sh $(CTDATA) $(RUN)

# Readers against pydicom's, dcmtk's and GDCM's files, and 10,000 damaged ones: the tables of docs/dicom.md.
# CTRECON_CTDATA=path adds measured series; UPDATE=-update writes the tables.
evidence: .venv/dicom.done
	cd dicomio && CTRECON_EVIDENCE=../.venv/dicom/bin/python CTRECON_MUTANTS=10000 $(GO) test -run 'TestEvidence|TestMutants' -timeout 60m -v . $(UPDATE)
.venv/dicom.done: dicomio/testdata/evidence.txt
	$(PYTHON) -m venv .venv/dicom
	.venv/dicom/bin/pip install -q -r $<
	touch $@

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./radon/... ./ct/... ./dicomio/...

# The pinned ONNX Runtime for Linux x86-64, beside the program where it is looked for.
ort: lib/libonnxruntime.so.1.31.1
lib/libonnxruntime.so.1.31.1: third_party/ort.txt
	rm -rf lib/tmp && mkdir -p lib/tmp
	$(PYTHON) -m pip download -q --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
	    --platform manylinux_2_28_x86_64 --require-hashes -r third_party/ort.txt -d lib/tmp
	cd lib/tmp && $(PYTHON) -m zipfile -e *.whl .
	echo "$(ORT_SHA256)  lib/tmp/onnxruntime/capi/libonnxruntime.so.1.31.1" | sha256sum -c -
	cp lib/tmp/onnxruntime/capi/libonnxruntime.so.1.31.1 $@
	cp lib/tmp/onnxruntime/LICENSE lib/tmp/onnxruntime/ThirdPartyNotices.txt lib/
	rm -rf lib/tmp
