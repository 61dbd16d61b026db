//! The one table of keys: file, environment, `doorward config` and the example file follow it.

use std::time::Duration;

use super::Config;
use super::parse::{Value, within};
use super::raw::{Raw, Refusal};

/// One setting.
pub(super) struct Key {
    /// As in the file; the environment has it in capitals behind `DOORWARD_`.
    pub name: &'static str,
    /// One line for the operator.
    pub description: &'static str,
    /// Whether its value must never be printed.
    pub secret: bool,
    /// Parses a raw value into its field.
    pub set: fn(&mut Config, &Raw) -> Result<(), Refusal>,
    /// Prints the field.
    pub show: fn(&Config) -> String,
}

/// The rows: the field of [`Config`], whether it is secret, its description and, where its type says
/// too little, what reads it.
macro_rules! keys {
    ($( $field:ident: $($secret:ident)? $description:literal $(, $read:expr)?; )+) => {
        &[$( Key {
            name: stringify!($field),
            description: $description,
            secret: keys!(@secret $($secret)?),
            set: |config, raw| {
                config.$field = keys!(@read raw $(, $read)?)?;
                Ok(())
            },
            show: |config| config.$field.show(),
        }, )+]
    };
    (@secret) => { false };
    (@secret secret) => { true };
    (@read $raw:ident) => { Value::read($raw) };
    (@read $raw:ident, $read:expr) => { $read($raw) };
}

/// Every key, in the documented order.
pub(super) static KEYS: &[Key] = keys! {
    listen: "IP:port to serve on";
    metrics_listen: "IP:port for /metrics alone; unset: loopback peers only";
    public_url: "the URL users see, and issuer; unset: http:// and the address bound";
    audience: "the aud claim of access tokens; unset: public_url";
    data_dir: "database and keys; relative to the working directory";
    key_file: "replaces the keys in data_dir, for mounted secrets";
    access_token_ttl: "life of an access token", at_least_a_second;
    refresh_token_ttl: "idle time after which a session expires";
    session_max_age: "age at which a session ends, used or not";
    refresh_grace: "how long a superseded refresh token counts as a race; 0s is strict";
    lost_response_window: "how long a lost refresh response can be fetched again";
    reuse_policy: "what reuse ends: user (all their sessions) or session (that one)";
    auto_refresh: "refresh cookie clients silently";
    max_sessions_per_user: "live sessions per user; the least recently used gives way", within(1..=10_000);
    registration: "who may register: open (anyone), invite (by a link from an administrator) or closed (nobody)";
    require_verified_email: "sign in only who has verified their address; register signs nobody in then";
    allowed_origins: "other origins whose pages may call with credentials";
    trusted_proxies: "addresses and CIDRs whose X-Forwarded-For is believed";
    cookie_domain: "Domain of the cookies: the public URL's host or a parent; needs https", domain;
    allow_insecure: "serve plain http beyond loopback";
    throttle: "limit attempts at login and the like; false is for tests";
    smtp_url: secret "the server that takes mail; unset: mail is written to files in data_dir/mail";
    smtp_ca_file: "certificates (PEM) to trust for smtp_url in place of Mozilla's list";
    mail_from: "who mail is from; unset: no-reply at the host of public_url";
    mail_link_base: "the site whose pages links in mails lead to; unset: public_url";
    password_min_length: "fewest characters of a new password", within(1..=64);
    password_min_score: "least score of a new password by zxcvbn, 0 (not asked) to 4", within(0..=4);
    argon2_memory_kib: "memory of one password hash, in KiB", within(8..=4 * 1024 * 1024);
    argon2_iterations: "passes over that memory", within(1..=u32::MAX);
    argon2_parallelism: "lanes of one password hash", within(1..=16);
    log_format: "text (for people) or json (one object a line)";
    log_level: "error, warn, info, debug or trace";
    audit_retention: "how long what happened to accounts is kept on record; at least a day", at_least_a_day;
};

fn at_least_a_second(raw: &Raw) -> Result<Duration, Refusal> {
    let value = Duration::read(raw)?;
    if value < Duration::from_secs(1) {
        return Err(raw.refuse("at least 1s"));
    }
    Ok(value)
}

fn at_least_a_day(raw: &Raw) -> Result<Duration, Refusal> {
    let value = Duration::read(raw)?;
    if value < super::DAY {
        return Err(raw.refuse("at least 1d"));
    }
    Ok(value)
}

/// Normalises `Domain=`: lower case, ASCII (IDNA), without the leading dot of old (RFC 6265
/// §5.2.3 drops it).
fn domain(raw: &Raw) -> Result<Option<String>, Refusal> {
    let Some(text) = Option::<String>::read(raw)? else { return Ok(None) };
    let name = text.strip_prefix('.').unwrap_or(&text);
    match url::Host::parse(name) {
        Ok(url::Host::Domain(name)) if has_labels(&name) => Ok(Some(name)),
        _ => Err(raw.refuse("a domain of two labels or more, such as example.com; no IP address")),
    }
}

/// A lone label is a top-level domain or `localhost`; browsers drop cookies for either.
fn has_labels(name: &str) -> bool {
    let label = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.contains('.') && name.split('.').all(label)
}
