# Everything a user or CI calls. `make` builds; `make try` shows the program at work; `make test` is the whole test suite.
GO ?= go

.PHONY: build try test vet test-go test-purego cross bench

build: ctrecon

ctrecon: FORCE
	$(GO) build -trimpath -o $@ ./cmd/ctrecon
FORCE:

# A phantom, re-measured with 25 views, reconstructed; ends with DICOM, a report and the numbers.
try: build
	./ctrecon phantom thorax --slices 3 --out thorax --force
	./ctrecon --angles 25 --force thorax

test: vet test-go test-purego cross

vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt: $$(gofmt -l $$(git ls-files '*.go'))"; exit 1; }
	$(GO) vet ./...

test-go:
	$(GO) test ./...

test-purego:
	$(GO) test -tags purego ./radon/...

cross:
	GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./radon/ ./ct/... ./dicomio/...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./radon/ ./ct/...
