# Sourced by the checks that need Node.js: starts a dev runner, and installs the packages of the current folder in a temporary one, with
# these files. Sets `url`, the URL of the runner, and goes to the temporary folder. Needs what `cargo test --workspace` built.
demo=${CARGO_TARGET_DIR:-$(dirname "${BASH_SOURCE[0]}")/../../target}/debug/demo
folder=$(mktemp -d)
trap 'kill $runner 2>/dev/null || true; rm -rf "$folder"' EXIT
"$demo" dev --listen 127.0.0.1:0 --memory >"$folder/greeting" 2>"$folder/log" & runner=$!
cp "$@" package.json package-lock.json "$folder"
cd "$folder"
npm ci --no-audit --no-fund --loglevel=error
url=$(sed -n 's/^listening on //p' greeting)
