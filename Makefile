# `make` lists the targets. Everything that is fetched or built lands in .cache/
# and bin/, which git ignores.

GO        ?= go
PYTHON    ?= python3
FUZZTIME  ?= 20s
LFW       ?=
ARCH      ?= $(shell $(GO) env GOARCH)
CUTS      ?= 2

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOFUMPT   := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
SHIPPED   := -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

# A checkout that belongs to somebody else, as in CI, must build too; the version
# comes from the ldflags. Debian keeps mosquitto and ldconfig in sbin.
export GOFLAGS += -buildvcs=false
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help build deps runtime runtime-gpu gpu-check run test unit race arm64 test-needs lint vm vm-test soak binary deb deb-check image image-test release models models-check screenshots fuzz eval recall ha-check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## write bin/facerecd
	CGO_ENABLED=0 $(GO) build $(SHIPPED) -o bin/facerecd ./daemon/facerecd

binary: ## write bin/linux-ARCH/facerecd, which is packaged (ARCH=amd64 or arm64)
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build $(SHIPPED) -o bin/linux-$(ARCH)/facerecd ./daemon/facerecd

deps: runtime .cache/photos/.stamp ## fetch the LiteRT runtime and the demo photos (25 MB, once)

runtime: .cache/litert/.stamp ## fetch the LiteRT runtime only

runtime-gpu: ## fetch it with the library that runs models on a GPU (docs/gpu.md; ARCH=amd64 or arm64)
	$(PYTHON) cross/fetch.py gpu --arch $(ARCH)

.cache/litert/.stamp: cross/fetch.py cross/runtime/requirements.txt
	$(PYTHON) cross/fetch.py runtime
	@touch $@

.cache/photos/.stamp: cross/fetch.py cross/photos/requirements.txt
	$(PYTHON) cross/fetch.py photos
	@touch $@

run: deps build ## start with a demo camera and a built-in broker
	bin/facerecd run --demo

test: test-needs deps lint unit race arm64 ## install what the tests need, then run all of them

unit: deps
	CGO_ENABLED=0 $(GO) test -timeout 20m ./...

# -short leaves out long tests that the race detector gains nothing from.
race: deps
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

arm64:
	CGO_ENABLED=0 GOARCH=arm64 $(GO) build ./...

test-needs:
	@cross/test-needs.sh

lint: ## go vet, gofumpt and staticcheck
	$(GO) vet ./...
	@echo '$(GO) run $(GOFUMPT) -l .'; out=$$($(GO) run $(GOFUMPT) -l $(wildcard */)) && test -z "$$out" || \
		{ echo "$$out"; echo 'not formatted: run $(GO) run $(GOFUMPT) -w .'; exit 1; }
	$(GO) run $(STATICCHECK) ./...

VM := .cache/vm/run-$(ARCH)

vm: deps deb
	@cross/vm/needs.sh
	cross/vm/build.sh $(ARCH)
	cross/vm/share.sh $(ARCH) $(VM)

vm-test: vm ## boot a Debian with a virtual camera and test the service in it (ARCH=amd64 or arm64; as root)
	cross/vm/run.sh $(ARCH) $(VM)
	test -z '$(CUTS)' || cross/vm/boots.sh $(ARCH) $(VM) $(CUTS)

soak: vm ## 10,000 events while everything fails; 200 kills amid enrolment, deletion, backup and restore; ten minutes at full rate; in the VM 200 unplugs of the camera and 30 power cuts; over an hour
	FACERECD_STORM_EVENTS=10000 $(GO) test -count=1 -v -timeout 30m -run LostInAStorm ./daemon/mqtt
	FACERECD_KILLS=200 $(GO) test -count=1 -v -timeout 30m -run KilledAtAnyMoment ./daemon/facerecd
	FACERECD_SOAK=10m $(GO) test -count=1 -v -timeout 30m -run NothingGrows ./daemon/facerecd
	echo 'export VM_CYCLES=200 VM_RUN=ComesBackFromEvery' > $(VM)/env
	cross/vm/run.sh $(ARCH) $(VM) 7200
	cross/vm/boots.sh $(ARCH) $(VM) 30

deb: build binary ## write dist/facerecd_VERSION_ARCH.deb (ARCH=amd64 or arm64)
	$(PYTHON) cross/fetch.py runtime --arch $(ARCH)
	GO='$(GO)' cross/deb/build.sh $(ARCH)

deb-check: ## build the package twice, compare the bytes, and have lintian look at it
	cross/deb/check.sh $(ARCH)

image: ## write dist/facerecd-pi_VERSION.img.xz, for a Raspberry Pi 3 or 4 (as root on Debian or Ubuntu)
	@cross/vm/needs.sh
	$(MAKE) deb ARCH=arm64
	cross/image/base.sh
	cross/image/build.sh

image-test: ## boot that image in qemu, twice, and look at what the first boot has set up
	@cross/vm/needs.sh
	cross/image/test.sh

release: ## write dist/: packages, image, tar files, bills of materials, SHA256SUMS
	GO='$(GO)' PYTHON='$(PYTHON)' cross/release/release.sh

VENV := .cache/models-venv
$(VENV)/.stamp: models/build/requirements.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --require-hashes -r $<
	@touch $@

models: $(VENV)/.stamp ## build the int8 models from the published float ones
	$(VENV)/bin/python models/build/make.py --out models

models-check: $(VENV)/.stamp ## build the models twice and compare the bytes with models/
	rm -rf .cache/models-check && mkdir -p .cache/models-check/1 .cache/models-check/2
	for n in 1 2; do $(VENV)/bin/python models/build/make.py --out .cache/models-check/$$n || exit 1; done
	cd models && sha256sum *.tflite manifest.json > ../.cache/models-check/wanted
	for n in 1 2; do (cd .cache/models-check/$$n && sha256sum --check ../wanted) || exit 1; done

screenshots: test-needs deps ## make the README's pictures of the page, in docs/screenshots
	@mkdir -p docs/screenshots
	CGO_ENABLED=0 $(GO) test -count=1 -tags screenshots -run Screenshots ./daemon/api/web -screenshots $(CURDIR)/docs/screenshots

fuzz: deps ## fuzz each parser for FUZZTIME (20s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sed 's|/[^/]*:func | |' | while read -r dir name; do \
		echo "fuzzing $$dir $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
	done

eval: deps build ## measure the accuracy on LFW=folder, which holds images/ and pairs.txt
	@test -n '$(LFW)' || { echo 'say where the photos are: make eval LFW=folder (with images/ and pairs.txt)'; exit 2; }
	bin/facerecd eval --images $(LFW)/images --pairs $(LFW)/pairs.txt --json

.cache/backgrounds/.stamp: cross/fetch.py cross/backgrounds/requirements.txt
	$(PYTHON) cross/fetch.py backgrounds
	@touch $@

recall: deps build .cache/backgrounds/.stamp ## measure what each detector finds, with the faces of LFW=folder
	@test -n '$(LFW)' || { echo 'say where the photos are: make recall LFW=folder (with images/)'; exit 2; }
	bin/facerecd eval-detection --images $(LFW)/images --backgrounds .cache/backgrounds

# The GPU is SwiftShader, a program that plays one: Debian's chromium brings it.
gpu-check: test-needs deps runtime-gpu ## try the models on a GPU played by a program: a wrong one is refused, and people are recognised; a minute or two
	FACERECD_GPU_CHECK=1 CGO_ENABLED=0 $(GO) test -count=1 -v -run GPU ./inference/litert ./daemon/accel ./daemon/facerecd

HA_VENV := .cache/ha-venv
$(HA_VENV)/.stamp: cross/homeassistant/requirements.txt cross/homeassistant/venv.sh
	cross/homeassistant/venv.sh $(HA_VENV)
	@touch $@

ha-check: test-needs $(HA_VENV)/.stamp ## show the discovery to Home Assistant itself (needs Python 3.13; 500 MB, once)
	$(HA_VENV)/bin/python cross/homeassistant/check.py

clean: ## remove what was built and fetched
	rm -rf bin dist .cache
