#!/usr/bin/env bash
# Makes the npm package doorward-client in target/sdk/typescript: the types of Doorward's OpenAPI
# document, and the companion in src/. Install it by path: npm install .../target/sdk/typescript
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

here=openapi/sdk/typescript
out=${CARGO_TARGET_DIR:-target}/sdk/typescript

for tool in node npm; do
    command -v "$tool" >/dev/null && continue
    echo "sdk: not found: $tool (Node 20 or later)" >&2
    exit 1
done

mkdir -p "$out"
if [ ! -d "$out/node_modules" ] ||
    ! cmp -s "$here/package-lock.json" "$out/package-lock.json"; then
    rm -rf "$out/node_modules"
    cp "$here"/{package.json,package-lock.json,.npmrc} "$out"
    (cd "$out" && npm ci --no-progress --silent)
fi
rm -rf "$out"/{src,dist}
cp -R "$here"/{package.json,package-lock.json,.npmrc,README.md} "$out"
cp -R "$here"/{tsconfig.json,generate.mjs,src} "$out"
cp LICENSE-APACHE LICENSE-MIT "$out"
spec=$PWD/openapi/doorward.json
cd "$out"
version=$(node -p 'JSON.parse(fs.readFileSync(process.argv[1])).info.version' "$spec")
npm pkg set version="$version"
node generate.mjs "$spec"
node_modules/.bin/tsc
echo "sdk: wrote $out: npm package doorward-client $version"
