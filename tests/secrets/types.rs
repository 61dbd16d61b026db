//! What holds a secret is wiped when it goes, and shows nothing of it to `Debug`.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use doorward::Config;
use doorward::config::SmtpUrl;
use doorward::crypto::keyring::{KeySet, Root};
use doorward::domain::account::Email;
use doorward::domain::claims::Role;
use doorward::domain::password::Password;
use doorward::domain::secret::{LookupHash, LookupKey, Proof, RatchetKey, Salt, Secret};
use doorward::flows::accounts::NewAccount;
use doorward::http::cookies::CookieStyle;
use poem::http::{HeaderMap, HeaderValue};
use zeroize::ZeroizeOnDrop;

const TEXT: &str = "hunter2hunter2hunter2";

/// Fails to compile for what is not wiped.
const fn is_wiped<T: ZeroizeOnDrop>() {}
const _: () = {
    is_wiped::<Root>();
    is_wiped::<Secret>();
    is_wiped::<RatchetKey>();
    is_wiped::<LookupKey>();
};

#[test]
fn debug_shows_nothing() {
    let bytes = *b"hunter2hunter2hunter2hunter2hunt";
    let password = || Password::present(TEXT).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_static("token=hunter2; csrfToken=hunter2"));
    let url = doorward::config::PublicUrl::parse("http://localhost").unwrap();
    let cookies = CookieStyle::new(&url, None).read(&headers).unwrap();
    assert_eq!(format!("{cookies:?}"), "{Access, Csrf}");
    let smtp_url = SmtpUrl::parse("smtps://a:hunter2@mail.example.com").unwrap();
    let account = NewAccount {
        email: Email::parse("ana@example.com").unwrap(),
        password: password(),
        role: Role::User,
        is_verified: false,
    };
    let shown: [&dyn Debug; 10] = [
        &password(),
        &Secret::from_bytes(bytes),
        &Salt(bytes),
        &LookupHash(bytes),
        &Proof::Parent(Secret::from_bytes(bytes)),
        &KeySet::derive(&Root::from_bytes(bytes)).unwrap(),
        &cookies,
        &smtp_url,
        &account,
        &Config { smtp_url: Some(smtp_url.clone()), ..Config::default() },
    ];
    for value in shown {
        let text = format!("{value:?} {value:#?}");
        let is_shown = text.contains("hunter2") || text.contains("104, 117");
        assert!(!is_shown, "{text}");
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

/// What a type with bytes in it is, that is neither wiped nor silent.
const NO_SECRETS: [&str; 1] = ["KeyId"];

/// Names of fields that hold secrets.
const FIELDS: [&str; 8] = [
    "password:",
    "password_hash:",
    "new_password:",
    "current_password:",
    "access_token:",
    "refresh_token:",
    "secret:",
    "secret_hash:",
];

/// A type with a secret in a field must not have its `Debug` written by the compiler, unless what is
/// in the field is silent itself.
#[test]
fn no_derived_debug_meets_a_secret_in_plain() {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    let mut looked_at = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let blocks = text.split("#[derive(").skip(1);
        for block in blocks.filter(|block| block.split(')').next().unwrap().contains("Debug")) {
            let body = block.split("\n}").next().unwrap_or_default();
            looked_at += 1;
            let plain = |line: &&str| {
                let line = line.trim().trim_start_matches("pub ").trim_start_matches("pub(super) ");
                FIELDS.iter().any(|name| line.starts_with(name))
                    && (line.contains("String") || line.contains("u8"))
            };
            let found = body.lines().find(plain);
            assert_eq!(found, None, "{} derives Debug over it", file.display());
        }
    }
    assert!(looked_at > 80, "{looked_at}");
}

/// Whatever holds 32 bytes of a key or a secret says that it is wiped.
#[test]
fn bytes_of_keys_are_wiped() {
    let mut files = Vec::new();
    for dir in ["/src/crypto", "/src/domain"] {
        sources(Path::new(&format!("{}{dir}", env!("CARGO_MANIFEST_DIR"))), &mut files);
    }
    let mut wiped = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some((head, _)) = line.split_once("([u8; 32]);") else { continue };
            let name = head.rsplit(' ').next().unwrap();
            let derived = lines[..number].iter().rev().find(|line| line.starts_with("#[derive("));
            let is_wiped = derived.is_some_and(|line| line.contains("ZeroizeOnDrop"));
            assert!(is_wiped || NO_SECRETS.contains(&name), "{}: {name}", file.display());
            wiped += usize::from(is_wiped);
        }
    }
    assert!(wiped >= 7, "{wiped}");
}
