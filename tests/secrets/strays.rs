//! Secrets where none belong: in queries, paths, headers, names, arguments, broken files.

use std::fs;

use serde_json::json;

use crate::canary::{Kind, unseen};
use crate::client::{Client, Holder};
use crate::house::House;

/// Of `correct horse battery`, but for its end.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu";

/// What clients do by mistake.
pub(crate) fn requests(client: &mut Client<'_>, ana: &Holder) {
    let Holder { access, refresh, .. } = ana;
    let text = client.house.forged();
    for secret in [access, refresh, &text] {
        for target in [
            format!("/api/auth/me?access_token={secret}"),
            format!("/api/auth/sessions/{secret}"),
            format!("/api/admin/users/{secret}/sessions"),
            format!("/account/verify-email/{secret}?token={secret}"),
            format!("/account/verify-email?token={secret}"),
            format!("/{secret}"),
            format!("/metrics?{secret}"),
            format!("/docs/{secret}"),
        ] {
            client.raw(&format!("GET {target}"), &[], b"");
            client.raw(
                &format!("DELETE {target}"),
                &[&format!("authorization: Bearer {access}")],
                b"",
            );
        }
        for header in [
            format!("authorization: Basic {secret}"),
            format!("authorization: Bearer {secret}{secret}"),
            format!("authorization: {secret}"),
            format!("proxy-authorization: Bearer {secret}"),
            format!("cookie: session={secret}; {secret}=1; tokens={secret}"),
            format!("cookie: token={secret}; token={secret}"),
            format!("cookie: refreshToken={secret}x; csrfToken={secret}"),
            format!("x-csrf-token: {secret}"),
            format!("x-request-id: {secret}"),
            format!("x-forwarded-for: {secret}"),
            format!("origin: https://{secret}.example"),
            format!("referer: https://app.example.com/?token={secret}"),
            format!("content-type: {secret}"),
            format!("{}: 1", secret.replace('.', "-")),
        ] {
            for line in ["GET /api/auth/me", "POST /api/auth/refresh", "POST /api/auth/logout-all"]
            {
                client.raw(line, &[&header], b"");
            }
        }
        // Not even HTTP.
        client.raw(&format!("{secret} /"), &[], b"");
        client.raw(&format!("GET /{secret} {secret}"), &[], b"");
        client.raw("GET /", &[&format!("a header without a colon {secret}")], b"");
        client.raw("POST /api/auth/login", &[&format!("transfer-encoding: {secret}")], b"");
    }
    let ids = "/api/auth/sessions/0190b8a0-0000-7000-8000-000000000000";
    client.call(&format!("DELETE {ids}"), ana, &json!(null));
}

/// What is done at the shell while the server runs.
pub(crate) fn commands(house: &mut House, email: &str) {
    let password = house.password();
    let hash = unseen();
    let line =
        json!({"email": format!("imported.{email}"), "password": format!("{BCRYPT}{hash}ABCDEFG")});
    let refused = json!({"email": format!("plain.{email}"), "password": password});
    let both = format!("{line}\n{refused}\n{{\"password\": \"{password}");
    fs::write(house.path().join("refused.jsonl"), both).unwrap();
    house.run("import refused.jsonl", None);
    house.run("import refused.jsonl --skip-refused", None);
    fs::remove_file(house.path().join("refused.jsonl")).unwrap();
    fs::write(house.path().join("users.jsonl"), line.to_string()).unwrap();
    let said = house.run("import users.jsonl", None);
    assert!(said.contains("1 user added") || said.contains("already there"), "{said}");

    house.run(&format!("user set-password {email} --password-stdin"), Some(&password));
    house.run(&format!("user add {email} --password-stdin"), Some(&password));
    // As an argument, which is refused without repeating it.
    house.run(&format!("user add carl@example.com --password {}", password.replace(' ', "")), None);
    house.run(
        &format!("user add carl@example.com --password-stdin={}", password.replace(' ', "")),
        None,
    );
    let printed = house.run("user invite dan@example.com --print-link", None);
    let token = printed.split("token=").nth(1).unwrap().trim();
    house.secret(Kind::OneTime, token.split_once('.').unwrap().1.as_bytes());
    house.run(&format!("backup backup.{email}.db"), None);
    house.run("check", None);
    house.run("keys rotate", None);
    for line in [
        "config",
        "config --json",
        "user list",
        "user list --json",
        "session list",
        "session list --json",
        "keys list",
        "keys list --json",
        "mail list",
        "mail list --json",
        "openapi",
    ] {
        assert!(!house.run(line, None).is_empty(), "{line}");
    }
}

/// Configurations that are wrong just where the secret is.
pub(crate) fn configurations(house: &mut House, smtp: &str) {
    let url = format!("smtps://doorward:{smtp}@mail.example.com");
    for wrong in [
        format!("smtp_url = \"{url}\n"),
        format!("smtp_url = {url}\n"),
        format!("smtp_ulr = \"{url}\"\n"),
        format!("smtp_url = [\"{url}\"]\n"),
        format!("smtp_url = \"{url}:99999\"\n"),
        format!("smtp_url = \"https://{smtp}@mail.example.com\"\n"),
        format!("[smtp]\nurl = \"{url}\"\n"),
    ] {
        house.set(&wrong);
        house.run("config", None);
        house.run("serve --listen 127.0.0.1:0", None);
    }
    house.set("");
    // A key file that is damaged.
    let (key, file) = (unseen(), house.path().join("damaged.key"));
    house.secret(Kind::Key, key.as_bytes());
    fs::write(&file, format!("k4.local.{key}\n")).unwrap();
    house.set("key_file = \"damaged.key\"\n");
    house.run("keys list", None);
    house.run("serve --listen 127.0.0.1:0", None);
    fs::remove_file(file).unwrap();
}
