// Writes src/schema.ts, the types of every operation, from the OpenAPI document named by the
// first argument.

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

const [document] = process.argv.slice(2);
const types = await openapiTS(JSON.parse(await readFile(document, "utf8")), {
  alphabetize: true,
  transform: (_schema, { path }) =>
    path === "#/components/schemas/Problem" ? problemClass() : undefined,
});
await writeFile("src/schema.ts", HEADER + astToString(types));
