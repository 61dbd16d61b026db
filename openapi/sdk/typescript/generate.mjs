// Writes src/schema.ts, the types of every operation, and src/public.ts, the paths of those that
// anybody may call, from the OpenAPI document named by the first argument.

import { readFile, writeFile } from "node:fs/promises";

import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const HEADER = "// Generated from Doorward's OpenAPI document. Do not edit.\n\n";

/// The companion gives every error as its class `Problem`; the types must say so, and then
/// `retryAfter` and `instanceof` are there where an `error` is.
function problemClass() {
  const path = ts.factory.createLiteralTypeNode(ts.factory.createStringLiteral("./problem.js"));
  return ts.factory.createImportTypeNode(path, undefined, ts.factory.createIdentifier("Problem"));
}

const [path] = process.argv.slice(2);
const document = JSON.parse(await readFile(path, "utf8"));
const types = await openapiTS(document, {
  alphabetize: true,
  transform: (_schema, { path }) =>
    path === "#/components/schemas/Problem" ? problemClass() : undefined,
});
await writeFile("src/schema.ts", HEADER + astToString(types));

const open = Object.entries(document.paths).filter(([, operations]) =>
  Object.values(operations).every(({ security }) => security.length === 0));
const names = JSON.stringify(open.map(([path]) => path), null, 2);
await writeFile("src/public.ts", `${HEADER}export const PUBLIC_PATHS: string[] = ${names};\n`);
