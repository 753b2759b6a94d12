# What the two commands need before they can run, and how to make it. Sourced by `tests/run` and `www/serve`; run with
# the names of functions (`bash tests/lib/setup.sh need_rust build_pkg`), it calls them in turn and stops at the first
# that fails.
#
# Every function looks first and works only when something is missing or older than its inputs, so a second call is
# cheap. A prerequisite that cannot be installed from here gets one line that says what to install.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where cargo builds; may be shared or moved by the user.
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
[[ $TARGET_DIR == /* ]] || TARGET_DIR=$PWD/$TARGET_DIR
export CARGO_TARGET_DIR=$TARGET_DIR
# What is ours and not cargo's: tools, logs, reports, the interop node.
OUT_DIR=$ROOT/target
TOOLS_DIR=$OUT_DIR/tools
FLEET_BIN=$TARGET_DIR/debug/fleet
REPLAY_BIN=$TARGET_DIR/debug/replay
ECHO_BIN=$TARGET_DIR/debug/examples/echo
ZONE_BIN=$TARGET_DIR/debug/examples/zone
BINDGEN_DIR=$TARGET_DIR/bindgen
PKG_DIR=$ROOT/pkg
# The package with the exports that only tests may call; never packed.
TESTING_PKG_DIR=$OUT_DIR/pkg-testing
GO_WAKU_BIN=$OUT_DIR/interop/waku
WASM_TARGET=wasm32-unknown-unknown
# The version that `wasm-pack test` was tried with; any that is already on the machine is taken.
WASM_PACK_VERSION=0.15.1
# The version of cargo-mutants whose output tests/mutants/cargo-mutants.sh reads.
CARGO_MUTANTS_VERSION=27.1.0
export PATH=$TOOLS_DIR/bin:$PATH:$HOME/.cargo/bin

# Chromium by the name that distributions give it; empty when there is none.
find_chromium() {
  if [[ -n ${CHROMIUM:-} ]]; then
    printf '%s\n' "$CHROMIUM"
    return
  fi
  local name
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" && return
  done
  return 0
}
CHROMIUM=$(find_chromium)
export ROOT TARGET_DIR OUT_DIR TOOLS_DIR FLEET_BIN REPLAY_BIN ECHO_BIN ZONE_BIN BINDGEN_DIR PKG_DIR TESTING_PKG_DIR GO_WAKU_BIN CHROMIUM

# One line of progress. Standard error, so that what a command prints for others stays clean.
log_step() {
  printf '· %s\n' "$*" >&2
}

# One line that says what is missing and what to do; the caller fails.
missing() {
  printf 'missing: %s\n' "$*" >&2
  return 1
}

# The version of a package in Cargo.lock.
locked_version() {
  awk -v want="name = \"$1\"" '$0 == want { getline; gsub(/version = |"/, ""); print; exit }' "$ROOT/Cargo.lock"
}

# Packages of the system, when we may install them.
install_system_packages() {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
  log_step "installing $* from the system's packages"
  # Standard output too is progress here, and nothing may wait for an answer.
  apt-get update >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2
}

# cargo with the wasm target.
need_rust() {
  command -v cargo >/dev/null || missing "cargo: install Rust 1.88 or newer with rustup (https://rustup.rs)" || return 1
  local libdir
  libdir=$(rustc --print target-libdir --target "$WASM_TARGET") || return 1
  [[ -d $libdir ]] && return
  command -v rustup >/dev/null || missing "the Rust target $WASM_TARGET: install it as your Rust came (with rustup: rustup target add $WASM_TARGET)" || return 1
  log_step "adding the Rust target $WASM_TARGET"
  rustup target add "$WASM_TARGET" >&2
}

# rustfmt and clippy.
need_rust_lints() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  command -v rustup >/dev/null || missing "rustfmt and clippy: install them as your Rust came" || return 1
  log_step "adding rustfmt and clippy"
  rustup component add rustfmt clippy >&2
}

# A program from crates.io at one exact version, into target/tools.
install_tool() {
  log_step "building $1 $2 (about 2 minutes, once)"
  CARGO_TARGET_DIR=$TOOLS_DIR/build cargo install --quiet --locked --root "$TOOLS_DIR" --version "$2" "$1" >&2
}

# The wasm-bindgen CLI of exactly the version in Cargo.lock: another one writes glue that does not fit the wasm.
need_wasm_bindgen() {
  local version
  version=$(locked_version wasm-bindgen)
  [[ -n $version ]] || missing "wasm-bindgen in Cargo.lock" || return 1
  if [[ $(wasm-bindgen --version 2>/dev/null) != "wasm-bindgen $version" ]]; then
    install_tool wasm-bindgen-cli "$version"
  fi
}

# wasm-pack runs the wasm tests in the browser; it finds our wasm-bindgen on PATH and downloads nothing.
need_wasm_pack() {
  command -v wasm-pack >/dev/null || install_tool wasm-pack "$WASM_PACK_VERSION"
}

# Makes small changes to the code and looks whether a test sees them.
need_cargo_mutants() {
  command -v cargo-mutants >/dev/null || install_tool cargo-mutants "$CARGO_MUTANTS_VERSION"
}

# Node itself and the packages that the tests use, as tests/package-lock.json pins them.
need_node() {
  local major stamp=$ROOT/tests/node_modules/.installed-lock
  major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')
  [[ -n $major && $major -ge 20 ]] || missing "Node.js 20 or newer with npm (https://nodejs.org or your system's packages)" || return 1
  cmp -s "$ROOT/tests/package-lock.json" "$stamp" && return
  log_step "installing the tests' node packages"
  (cd "$ROOT/tests" && npm ci --no-progress >&2) || return 1
  cp "$ROOT/tests/package-lock.json" "$stamp"
}

# The system's Chromium.
need_chromium() {
  CHROMIUM=$(find_chromium)
  if [[ -z $CHROMIUM ]]; then
    install_system_packages chromium || missing "Chromium: install your system's package (Debian: apt-get install chromium)" || return 1
    CHROMIUM=$(find_chromium)
  fi
  export CHROMIUM
}

# Its WebDriver, which wasm-pack speaks to.
need_chromedriver() {
  command -v chromedriver >/dev/null && return
  install_system_packages chromium-driver || missing "chromedriver: install your system's package (Debian: apt-get install chromium-driver)"
}

need_go() {
  command -v go >/dev/null || missing "Go 1.24 or newer: go-waku, the interop tests' peer, is built from source (https://go.dev)"
}

# A hash over the contents of files and folders: what a built thing was built from.
fingerprint() {
  local path
  for path in "$@"; do
    if [[ -d $path ]]; then
      find "$path" -type f -not -path '*/node_modules/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    elif [[ -e $path ]]; then
      sha256sum "$path"
    fi
  done | sha256sum | cut -d' ' -f1
}

# The npm package: wasm in release, its glue, and what pkg-template adds.
#   assemble_pkg BINDGEN_DIR OUT [cargo arguments…]
assemble_pkg() {
  local bindgen=$1 out=$2 wasm=$TARGET_DIR/$WASM_TARGET/release/lightkeeper.wasm inputs
  shift 2
  log_step "building the wasm (release${*:+, $*}; about a minute when cold)"
  # The wasm file alone: beside an rlib, which the tests want, cargo would leave out the optimisation at link time.
  # Panics name the files of the dependencies: not by where this machine keeps them, and without the name that cargo gives
  # to their registry, which would be there a hundred times. The last prefix that fits is taken.
  local sources=${CARGO_HOME:-$HOME/.cargo}/registry/src folder
  local remaps="'--remap-path-prefix=$sources=cargo'"
  for folder in "$sources"/*/; do
    [[ ! -d $folder ]] || remaps+=", '--remap-path-prefix=${folder%/}='"
  done
  (cd "$ROOT" && cargo rustc --release --target "$WASM_TARGET" --lib --crate-type cdylib \
    --config "target.$WASM_TARGET.rustflags=[$remaps]" \
    "$@" >&2) || return 1
  inputs=$(fingerprint "$wasm" "$ROOT/pkg-template" "$ROOT/Cargo.toml" "$ROOT/Cargo.lock" "$ROOT"/LICENSE-*)
  if [[ -e $out/package.json && $(cat "$bindgen/.inputs" 2>/dev/null) == "$inputs" ]]; then
    return
  fi
  log_step "assembling ${out#"$ROOT"/}"
  rm -rf "$bindgen"
  mkdir -p "$bindgen"
  wasm-bindgen --target web --remove-name-section --remove-producers-section \
    --out-name lightkeeper --out-dir "$bindgen" "$wasm" >&2 || return 1
  node "$ROOT/pkg-template/assemble.mjs" --bindgen "$bindgen" --out "$out" >&2 || return 1
  # Last, so that a run that was cut short is made again.
  printf '%s\n' "$inputs" >"$bindgen/.inputs"
}

build_pkg() {
  need_rust && need_wasm_bindgen && assemble_pkg "$BINDGEN_DIR" "$PKG_DIR"
}

# The same with the exports that only tests may call (a deliberate panic), beside it and never packed.
build_testing_pkg() {
  need_rust && need_wasm_bindgen && assemble_pkg "$TARGET_DIR/bindgen-testing" "$TESTING_PKG_DIR" --features testing
}

# The local network's program.
build_fleet() {
  log_step "building the fleet (about 3 minutes when cold)"
  (cd "$ROOT" && cargo build --features fleet --bin fleet >&2)
}

# What replays a log of the manager's inputs. The pure modules alone: a minute when cold.
build_replay() {
  log_step "building the replay of logs"
  (cd "$ROOT" && cargo build --no-default-features --bin replay >&2)
}

# The native peers that the web and interop parts talk to.
build_examples() {
  local name
  for name in "$@"; do
    log_step "building the example $name"
    (cd "$ROOT" && cargo build --features fleet --example "$name" >&2) || return 1
  done
}

build_echo() {
  build_examples echo
}

build_zone() {
  build_examples zone
}

# go-waku's node, from a module of our own that pins it.
build_go_waku() {
  need_go || return 1
  local inputs
  inputs=$(fingerprint "$ROOT/tests/interop/go.mod" "$ROOT/tests/interop/go.sum" "$ROOT/tests/interop/tools.go")
  [[ -x $GO_WAKU_BIN && $(cat "$GO_WAKU_BIN.inputs" 2>/dev/null) == "$inputs" ]] && return
  log_step "building go-waku (3 to 5 minutes when cold)"
  mkdir -p "$(dirname "$GO_WAKU_BIN")"
  (cd "$ROOT/tests/interop" && go build -tags gowaku_no_rln -o "$GO_WAKU_BIN" github.com/waku-org/go-waku/cmd/waku >&2) || return 1
  printf '%s\n' "$inputs" >"$GO_WAKU_BIN.inputs"
}

# Run as a program: each argument is a function.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  for step in "$@"; do
    "$step"
  done
fi
