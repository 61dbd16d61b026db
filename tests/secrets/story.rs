//! Every operation that takes a secret, with right ones and wrong ones, and what is left of them.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::crypto::keyring::Root;
use doorward::domain::id::OneTimeId;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::canary::{Kind, password_around, unseen};
use crate::client::{Client, Holder};
use crate::house::{House, talkative_mail_server};
use crate::strays;
use crate::table::{judge, unused};

/// What the keys of a set are derived under.
const CONTEXTS: [&str; 6] = [
    "doorward v1 refresh token, PASETO v4.local",
    "doorward v1 access token, PASETO v4.public",
    "doorward v1 refresh token, ratchet",
    "doorward v1 refresh token, lookup hash",
    "doorward v1 csrf token",
    "doorward v1 one-time token",
];

/// The names of secrets in bodies.
const SECRETS: [&str; 5] = ["password", "currentPassword", "newPassword", "token", "refreshToken"];

impl House {
    /// A password that was never seen before.
    pub(crate) fn password(&mut self) -> String {
        let core = unseen();
        self.secret(Kind::Password, core.as_bytes());
        password_around(&core)
    }

    /// What is no token, and looks like one.
    pub(crate) fn forged(&mut self) -> String {
        let core = unseen();
        self.secret(Kind::Forged, core.as_bytes());
        core
    }

    /// The active key. Of each the text, the bytes and the descendants are secrets.
    pub(crate) fn root(&mut self) -> Root {
        let files = fs::read_dir(self.path().join("data/keys")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut active = None;
        for file in files {
            let line = fs::read_to_string(file).unwrap();
            let text = line.trim().strip_prefix("k4.local.").unwrap();
            self.secret(Kind::Key, text.as_bytes());
            let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            self.secret(Kind::Key, &bytes);
            for context in CONTEXTS {
                let key = blake3::derive_key(context, &bytes);
                self.secret(Kind::Key, &key);
                self.secret(Kind::Key, URL_SAFE_NO_PAD.encode(key).as_bytes());
            }
            active = Root::parse(line.trim());
        }
        active.unwrap()
    }

    /// What is stored of the passwords.
    fn learn_hashes(&mut self) {
        self.run("export export.jsonl", None);
        let users = fs::read_to_string(self.path().join("export.jsonl")).unwrap();
        for user in users.lines() {
            let user: Value = serde_json::from_str(user).unwrap();
            // The hash proper, behind the salt.
            let Some(hash) = user["password"].as_str().and_then(|it| it.rsplit('$').next()) else {
                continue;
            };
            self.secret(Kind::Hash, &hash.as_bytes()[hash.len() - 31..]);
        }
    }
}

impl Client<'_> {
    /// The token of a link, as it is in the letter: the files do not have it.
    fn link(&mut self, purpose: &str, email: &str) -> String {
        let path = self.house.path().join("data/doorward.db");
        #[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
        let sql = Connection::open(path).unwrap();
        let query = "SELECT id FROM one_time_tokens WHERE purpose = ?1 AND email = ?2";
        let id: Uuid = sql.query_row(query, [purpose, email], |row| row.get(0)).unwrap();
        let token = self.keys.active().one_time_token(OneTimeId(id)).to_string();
        self.both(Kind::OneTime, token.split_once('.').unwrap().1);
        token
    }

    /// The right token with a wrong half.
    fn spoilt(&mut self, token: &str) -> String {
        let (id, secret) = token.split_once('.').unwrap();
        let half: String = secret.chars().rev().collect();
        self.house.secret(Kind::Forged, half.as_bytes());
        format!("{id}.{half}")
    }

    fn redeem(&mut self, path: &str, token: &str, more: &Value) {
        let spoilt = self.spoilt(token);
        for (token, status) in [(&*spoilt, 403), (token, 200), (token, 403)] {
            let mut body = more.clone();
            body["token"] = token.into();
            let mut answer = self.post(path, &body).status;
            // An invitation makes something.
            answer -= u16::from(answer == 201);
            assert_eq!(answer, status, "{path}");
        }
    }
}

/// Registers, signs in and out, in both ways, with right and wrong passwords and tokens.
fn sign_in_and_out(client: &mut Client<'_>, email: &str) -> (Holder, String) {
    let nobody = Holder::default();
    let (password, wrong) = (client.house.password(), client.house.password());
    let with = |password: &str, delivery| json!({"email": email, "password": password, "delivery": delivery});
    let browser = client.post("/api/auth/register", &with(&password, "cookie"));
    assert_eq!(browser.status, 201);
    let mut browser = browser.holder();
    assert_eq!(client.post("/api/auth/register", &with(&wrong, "body")).status, 409);
    assert_eq!(client.post("/api/auth/login", &with(&wrong, "cookie")).status, 401);
    // Typed into the wrong field.
    client.post("/api/auth/login", &json!({"email": wrong, "password": "x"}));
    client.post("/api/auth/login", &json!({"email": email, "password": wrong, "pasword": wrong}));
    client.post("/api/auth/login", &json!({"email": email, "password": [wrong]}));
    client.raw("POST /api/auth/login", &[], format!("{{\"password\": \"{wrong}").as_bytes());
    let program = client.post("/api/auth/login", &with(&password, "body")).holder();

    // Renewed, twice with the same token, and with one that is none.
    let first = program.refresh.clone();
    let refresh = |token: &str| json!({"refreshToken": token});
    let second = client.post("/api/auth/refresh", &refresh(&first)).holder();
    if !client.is_strict {
        assert_eq!(client.post("/api/auth/refresh", &refresh(&first)).status, 200);
    }
    let third = client.post("/api/auth/refresh", &refresh(&second.refresh)).holder();
    let cut = &third.refresh[..third.refresh.len() - 70];
    let forged = format!("v4.local.{}.e30", client.house.forged());
    for token in [cut, &forged] {
        assert_eq!(client.post("/api/auth/refresh", &refresh(token)).status, 403);
        assert_eq!(client.post("/api/auth/logout", &refresh(token)).status, 200);
    }
    let jar = client.raw("POST /api/auth/refresh", &[&browser.headers()[0]], b"").holder();
    (browser.access, browser.refresh) = (jar.access, jar.refresh);
    client.call("GET /api/auth/me", &third, &Value::Null);
    assert_eq!(client.post("/api/auth/logout", &refresh(&third.refresh)).status, 200);
    assert_eq!(client.post("/api/auth/logout", &json!({"refreshToken": [forged]})).status, 422);

    // Used again: everybody is signed out, but for the grace.
    let theirs = client.post("/api/auth/login", &with(&password, "body")).holder();
    let mut newest = theirs.clone();
    for _ in 0..3 {
        newest = client.post("/api/auth/refresh", &refresh(&newest.refresh)).holder();
    }
    let (again, me) = if client.is_strict { (403, 401) } else { (503, 200) };
    assert_eq!(client.post("/api/auth/refresh", &refresh(&theirs.refresh)).status, again);
    assert_eq!(client.call("GET /api/auth/me", &browser, &Value::Null).status, me);
    client.call("GET /api/auth/me", &nobody, &Value::Null);
    (client.post("/api/auth/login", &with(&password, "cookie")).holder(), password)
}

/// Another password, by asking and by a link; another address, and back.
fn change_everything(
    client: &mut Client<'_>,
    email: &str,
    browser: &Holder,
    password: &str,
) -> String {
    let (second, third, wrong) =
        (client.house.password(), client.house.password(), client.house.password());
    let change = |from: &str, to: &str| json!({"currentPassword": from, "newPassword": to});
    let path = "POST /api/auth/password";
    assert_eq!(client.call(path, browser, &change(&wrong, &second)).status, 403);
    assert_eq!(client.call(path, browser, &change(password, &second)).status, 200);

    client.post("/api/auth/resend-verification", &json!({"email": email}));
    let token = client.link("verify_email", email);
    client.redeem("/api/auth/verify-email", &token, &json!({}));

    // With claims that say so.
    let sign_in = json!({"email": email, "password": second});
    let browser = client.post("/api/auth/login", &sign_in).holder();
    let other = format!("new.{email}");
    let path = "POST /api/auth/change-email";
    let to = |password: &str| json!({"newEmail": other, "password": password});
    assert_eq!(client.call(path, &browser, &to(&wrong)).status, 403);
    assert_eq!(client.call(path, &browser, &to(&second)).status, 202);
    let token = client.link("change_email", &other);
    client.redeem("/api/auth/confirm-email", &token, &json!({}));
    let token = client.link("undo_email_change", email);
    client.redeem("/api/auth/undo-email-change", &token, &json!({}));

    client.post("/api/auth/forgot-password", &json!({"email": email}));
    let token = client.link("reset_password", email);
    client.redeem("/api/auth/reset-password", &token, &json!({"newPassword": third}));
    third
}

/// An administrator makes an account and invites; an account ends.
fn administer(client: &mut Client<'_>, boss: &str, name: &str) {
    let sign_in = json!({"email": "boss@example.com", "password": boss, "delivery": "body"});
    let admin = client.post("/api/auth/login", &sign_in).holder();
    let (password, invited) = (client.house.password(), client.house.password());
    let made = json!({"email": format!("made.{name}"), "password": password});
    for status in [201, 409] {
        assert_eq!(client.call("POST /api/admin/users", &admin, &made).status, status);
    }
    let guest = format!("guest.{name}");
    client.call("POST /api/admin/invitations", &admin, &json!({"email": guest}));
    let token = client.link("accept_invitation", &guest);
    client.redeem("/api/auth/accept-invitation", &token, &json!({"password": invited}));

    let mut sign_in = made;
    sign_in["delivery"] = "body".into();
    let leaver = client.post("/api/auth/login", &sign_in).holder();
    let path = "POST /api/auth/delete-account";
    for (password, status) in [(&invited, 403), (&password, 204)] {
        assert_eq!(client.call(path, &leaver, &json!({"password": password})).status, status);
    }
    for path in ["users", "events", "invitations"] {
        client.call(&format!("GET /api/admin/{path}"), &admin, &Value::Null);
    }
}

/// Each operation that takes a secret in its body has taken a right one and refused a wrong one.
fn all_was_played(client: &Client<'_>) {
    let spec = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/doorward.json"));
    let spec: Value = serde_json::from_str(&spec.unwrap()).unwrap();
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                .as_str()
                .map_or(Value::Null, |it| spec.pointer(&it[1..]).unwrap()["properties"].clone());
            if !SECRETS.iter().any(|name| schema.get(name).is_some()) {
                continue;
            }
            let line = format!("{} {path}", method.to_uppercase());
            let statuses = client.played.get(&line).cloned().unwrap_or_default();
            let has = |class: u16| statuses.iter().any(|status| status / 100 == class);
            assert!(has(2) && has(4), "{line} takes a secret: play it here, with a wrong one too");
        }
    }
}

/// All of it against one server.
fn play(house: &mut House, format: &'static str, boss: &str) {
    let server = house.serve(format);
    let root = house.root();
    let mut client = Client::new(house, &server.address, &root, format);
    let email = format!("ana.{format}@example.com");
    let (browser, password) = sign_in_and_out(&mut client, &email);
    let password = change_everything(&mut client, &email, &browser, &password);
    administer(&mut client, boss, &format!("{format}@example.com"));
    let sign_in = json!({"email": email, "password": password, "delivery": "body"});
    let ana = client.post("/api/auth/login", &sign_in).holder();
    strays::requests(&mut client, &ana);
    client.raw("GET /metrics", &[], b"");
    all_was_played(&client);
    server.wait_until_it_says(if format == "json" {
        "could not be delivered"
    } else {
        "was delivered"
    });
    strays::commands(house, &email);
    house.root();
    house.learn_hashes();
    // While the log is there, and when it is gone.
    house.note_files();
    server.end(if format == "json" { Signal::KILL } else { Signal::TERM }, house);
    house.note_files();
}

#[test]
fn no_secret_is_where_it_does_not_belong() {
    let mut house = House::new();
    let boss = house.password();
    house.run("user add boss@example.com --role admin --password-stdin", Some(&boss));
    play(&mut house, "text", &boss);

    let smtp = unseen();
    house.secret(Kind::SmtpPassword, smtp.as_bytes());
    let port = talkative_mail_server(smtp.clone());
    let url = format!(
        "smtp_url = \"smtp://doorward:{smtp}@127.0.0.1:{port}\"\nlog_format = \"json\"\n\
               refresh_grace = \"0s\"\n"
    );
    house.set(&url);
    play(&mut house, "json", &boss);
    strays::configurations(&mut house, &smtp);

    let kinds: std::collections::BTreeSet<_> =
        house.canaries.iter().map(|canary| canary.kind).collect();
    assert_eq!(kinds.len(), 9, "a kind of secret was not played: {kinds:?}");
    let (complaints, used) = judge(&house.canaries, &house.evidence);
    let (secrets, places) = (house.canaries.len(), house.evidence.len());
    println!("{secrets} secrets looked for in {places} places");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(unused(&used).is_empty(), "rows that nothing needs:\n{}", unused(&used).join("\n"));
}
