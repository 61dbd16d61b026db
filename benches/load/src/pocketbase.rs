//! PocketBase as a peer, with the settings that it comes with.
//!
//! By default its limit of requests is off. Its log of requests is on: it keeps each for five days
//! in a database of its own (`auxiliary.db`), written in batches behind the requests, which takes
//! about a quarter of its CPU time here. The write-ahead logs of its databases are not synced at
//! commits.
//!
//! A refresh there is not a rotation: it signs a new token and stores nothing, and the old token
//! stays valid until it expires.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::Failure;
use crate::load::{Answer, Traffic};
use crate::process::{self, Process};
use crate::rows::{CONNECTIONS, Row};
use crate::traffic::COMMON;

const EMAIL: &str = "admin@bench.example";
const PASSWORD: &str = "correct horse battery";
const USERS: &str = "/api/collections/users";

/// A signed-in user, as the answer to a sign-in tells of them.
#[derive(Deserialize)]
struct User {
    token: String,
    record: Record,
}

#[derive(Deserialize)]
struct Record {
    id: String,
}

/// Users who refresh their token and carry the new one forward.
pub fn refresh(binary: &Path, data: &Path) -> Result<Row, Failure> {
    row(binary, data, |users| Box::new(Refresh(users)))
}

/// Users who read their own record.
pub fn own_record(binary: &Path, data: &Path) -> Result<Row, Failure> {
    row(binary, data, |users| Box::new(OwnRecord(users)))
}

/// A new PocketBase with a signed-in user for each connection.
fn row(
    binary: &Path,
    data: &Path,
    traffic: impl FnOnce(Vec<User>) -> Box<dyn Traffic + Send>,
) -> Result<Row, Failure> {
    let _ = fs::remove_dir_all(data);
    let mut admin = Command::new(binary);
    admin.args(["superuser", "upsert", EMAIL, PASSWORD, "--dir"]).arg(data).stdout(Stdio::null());
    if !admin.status()?.success() {
        return Err(format!("{admin:?} failed").into());
    }
    let address = process::free_address()?;
    let mut serve = Command::new(binary);
    serve.args(["serve", "--http", &address.to_string(), "--dir"]).arg(data);
    let server = Process::start(serve, address, "/api/health")?;
    let traffic = traffic(sign_up(address)?);
    Ok(Row { server, traffic, data: None, beside: None })
}

/// Makes a user for each connection, and signs them in.
fn sign_up(address: SocketAddr) -> Result<Vec<User>, Failure> {
    let admin = sign_in(address, "_superusers", EMAIL)?.token;
    (0..CONNECTIONS)
        .map(|n| {
            let email = format!("user{n}@bench.example");
            let user = json!({
                "email": email,
                "password": PASSWORD,
                "passwordConfirm": PASSWORD,
                "verified": true,
            });
            let more = format!("Authorization: {admin}\r\n");
            post(address, &format!("{USERS}/records"), &more, &user)?;
            sign_in(address, "users", &email)
        })
        .collect()
}

fn sign_in(address: SocketAddr, collection: &str, email: &str) -> Result<User, Failure> {
    let path = format!("/api/collections/{collection}/auth-with-password");
    let credentials = json!({ "identity": email, "password": PASSWORD });
    Ok(serde_json::from_str(&post(address, &path, "", &credentials)?)?)
}

fn post(
    address: SocketAddr,
    path: &str,
    more: &str,
    body: &serde_json::Value,
) -> Result<String, Failure> {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n{more}");
    process::exchange(address, &head, &body.to_string(), " 200 ")
}

/// Each connection refreshes the token of a user of its own.
struct Refresh(Vec<User>);

impl Traffic for Refresh {
    fn request(&mut self, on: usize, out: &mut Vec<u8>) {
        let token = &self.0[on].token;
        let _ = write!(
            out,
            "POST {USERS}/auth-refresh HTTP/1.1\r\n{COMMON}Authorization: {token}\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    fn answer(&mut self, on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)?;
        // Cut out of the text, not parsed: this program shares the machine with the server.
        let new = std::str::from_utf8(answer.body)?
            .rsplit_once(r#""token":""#)
            .and_then(|(_, rest)| rest.split_once('"'))
            .ok_or("a refresh without a new token")?;
        new.0.clone_into(&mut self.0[on].token);
        Ok(())
    }
}

/// Each connection reads the record of a user of its own.
struct OwnRecord(Vec<User>);

impl Traffic for OwnRecord {
    fn request(&mut self, on: usize, out: &mut Vec<u8>) {
        let User { token, record: Record { id } } = &self.0[on];
        let _ = write!(
            out,
            "GET {USERS}/records/{id} HTTP/1.1\r\n{COMMON}Authorization: {token}\r\n\r\n"
        );
    }

    fn answer(&mut self, _on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}
