// Signs in, looks around, signs out. The server's URL may be given as the first argument.
import { readFile, rm, writeFile } from "node:fs/promises";
import { createDoorward, Problem, unwrap } from "doorward-client";

const FILE = "doorward-tokens.json"; // Secret: only its owner may read it.
const doorward = createDoorward({
  mode: "bearer",
  baseUrl: process.argv[2] ?? "http://127.0.0.1:8080",
  store: {
    load: () => readFile(FILE, "utf8").catch(() => null),
    save: (saved) => (saved ? writeFile(FILE, saved, { mode: 0o600 }) : rm(FILE, { force: true })),
  },
  onSignedOut: (code) => console.log(`The session has ended: ${code}`),
});
const ana = { email: "ana@example.com", password: "correct horse battery" };

try {
  // Every call resolves to `data` or `error`. With saved tokens there is nothing to do here.
  if ((await doorward.GET("/api/auth/me")).error?.status === 401) {
    const { error } = await doorward.register(ana);
    if (error?.code === "email_taken") await unwrap(doorward.login(ana));
    else if (error) throw error;
  }
  // `unwrap` throws the error instead. Expired tokens are renewed on the way.
  const me = await unwrap(doorward.GET("/api/auth/me"));
  console.log(`Signed in as ${me.email}`);
  const { sessions } = await unwrap(doorward.GET("/api/auth/sessions"));
  for (const { device, current } of sessions) {
    console.log(`- ${device}${current ? ", this one" : ""}`);
  }
  await unwrap(doorward.logout());
  console.log("Signed out");
} catch (error) {
  if (!(error instanceof Problem)) throw error; // No answer: the server is down, say.
  console.error(error.code, error.detail, error.errors);
  process.exitCode = 1;
}
