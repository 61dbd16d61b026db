// The example of the README, run as it is.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { createDoorward } from "doorward-client";

import { ANA, MemoryStore, ok } from "./helpers.js";
import { startDoorward } from "./server.js";

const QUICKSTART = fileURLToPath(new URL("./quickstart.js", import.meta.url));
const run = promisify(execFile);

test("the quickstart says what it does", async (t) => {
  const url = await startDoorward(t);
  const cwd = await mkdtemp(join(tmpdir(), "doorward-quickstart-"));
  t.after(() => rm(cwd, { recursive: true }));
  const quickstart = async () => {
    const { stdout, stderr } = await run(process.execPath, [QUICKSTART, url], { cwd });
    assert.equal(stderr, "");
    return stdout;
  };
  const said = /^Signed in as ana@example\.com\n(- .*\n)*- .*, this one\n(- .*\n)*Signed out\n$/;
  assert.match(await quickstart(), said, "registers");
  assert.match(await quickstart(), said, "signs in");
  assert.equal(existsSync(join(cwd, "doorward-tokens.json")), false);

  // Tokens left by another run are used: there is one session, not two.
  const store = new MemoryStore();
  const password = "correct horse battery";
  await ok(createDoorward({ mode: "bearer", baseUrl: url, store }).login({ ...ANA, password }));
  await writeFile(join(cwd, "doorward-tokens.json"), store.saved!);
  assert.equal((await quickstart()).match(/^- /gm)?.length, 1);
});

test("the quickstart reports errors", async (t) => {
  const url = await startDoorward(t, { registration: "closed" });
  const cwd = await mkdtemp(join(tmpdir(), "doorward-quickstart-"));
  t.after(() => rm(cwd, { recursive: true }));
  await assert.rejects(run(process.execPath, [QUICKSTART, url], { cwd }), (error) => {
    const { code, stderr } = error as Error & { code: number; stderr: string };
    assert.equal(code, 1);
    assert.match(stderr, /^registration_closed /);
    return true;
  });
});
