// The classic way to rotate refresh tokens, as Express servers do it: both tokens are JWTs in
// cookies, the user's row holds the list of raw refresh tokens that are valid, and a refresh reads
// the row, takes the old token out of the list, puts the new one in and saves the row.
//
//   node server.mjs HOST:PORT DATABASE
//
// One process and one thread, which is how `node server.mjs` runs it. Saving is as durable as in
// Doorward: a write-ahead log, synced at each commit.

import { createSecretKey, randomBytes, randomUUID } from "node:crypto";

import Database from "better-sqlite3";
import cookieParser from "cookie-parser";
import express from "express";
import jwt from "jsonwebtoken";

const [address, path] = process.argv.slice(2);
// Keys, as jsonwebtoken first takes a plain secret for a private key in PEM, each time anew: that
// would make every token some fifty times as dear, and the comparison unfair.
const ACCESS = { key: createSecretKey(randomBytes(64)), seconds: 15 * 60 };
const REFRESH = { key: createSecretKey(randomBytes(64)), seconds: 30 * 24 * 3600 };

const db = new Database(path);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`CREATE TABLE IF NOT EXISTS users (
  id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, role TEXT NOT NULL, refresh_tokens TEXT NOT NULL
)`);
const add = db.prepare("INSERT INTO users VALUES (?, ?, 'user', ?)");
const find = db.prepare("SELECT * FROM users WHERE id = ?");
const save = db.prepare("UPDATE users SET refresh_tokens = ? WHERE id = ?");

// Without an id of its own, a token would equal the one of the same second before it.
const sign = (kind, id) =>
  jwt.sign({ sub: id }, kind.key, { expiresIn: kind.seconds, jwtid: randomUUID() });

function verify(kind, token) {
  try {
    return jwt.verify(token, kind.key, { algorithms: ["HS256"] });
  } catch {
    return null;
  }
}

function setCookies(res, access, refresh) {
  const cookie = { httpOnly: true, sameSite: "lax" };
  res.cookie("token", access, { ...cookie, maxAge: ACCESS.seconds * 1000 });
  res.cookie("refreshToken", refresh, { ...cookie, maxAge: REFRESH.seconds * 1000 });
}

const shown = ({ id, email, role }) => ({ user: { id, email, role } });
const refuse = (res) => res.status(401).json({ message: "Sign in again." });

const app = express();
app.use(cookieParser());

app.get("/healthz", (req, res) => res.send("ok"));

// Makes signed-in users, and answers with the tokens of each: access, refresh.
app.post("/seed/:count", (req, res) => {
  const users = Array.from({ length: Number(req.params.count) }, (_, n) => {
    const id = randomUUID();
    const [access, refresh] = [sign(ACCESS, id), sign(REFRESH, id)];
    add.run(id, `user${n}@bench.example`, JSON.stringify([refresh]));
    return [access, refresh];
  });
  res.json(users);
});

app.post("/api/auth/refresh", (req, res) => {
  const old = req.cookies.refreshToken;
  const user = find.get(verify(REFRESH, old)?.sub);
  if (!user) return refuse(res);
  const tokens = JSON.parse(user.refresh_tokens);
  const at = tokens.indexOf(old);
  if (at < 0) {
    // It was used before, by whomever: every session of the user ends.
    save.run("[]", user.id);
    return refuse(res);
  }
  const [access, refresh] = [sign(ACCESS, user.id), sign(REFRESH, user.id)];
  tokens.splice(at, 1);
  tokens.push(refresh);
  save.run(JSON.stringify(tokens), user.id);
  setCookies(res, access, refresh);
  res.json(shown(user));
});

app.get("/api/auth/me", (req, res) => {
  const user = find.get(verify(ACCESS, req.cookies.token)?.sub);
  if (!user) return refuse(res);
  res.json(shown(user));
});

const [host, port] = address.split(":");
app.listen(Number(port), host, (error) => {
  if (error) throw error;
  console.log(`listening on ${address}`);
});
