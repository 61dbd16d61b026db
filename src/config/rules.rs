//! What spans several keys: refusals, and warnings about what is allowed but hardly meant.

use std::net::SocketAddr;
use std::time::Duration;

use super::parse::Value;
use super::{Config, SmtpUrl};

/// How to have one's way.
const PERMISSION: &str = "allow_insecure = true permits it";

/// Two keys that contradict each other.
pub(super) struct Breach {
    /// The key to blame.
    pub key: &'static str,
    /// The other keys the rule reads.
    pub with: &'static [&'static str],
    pub found: String,
    pub allowed: String,
}

/// Every rule across keys that `config` breaks, were it to listen where it says.
pub(super) fn breaches(config: &Config) -> Vec<Breach> {
    [
        no_shorter(config, "refresh_token_ttl", config.refresh_token_ttl),
        no_shorter(config, "session_max_age", config.session_max_age),
        argon2_memory(config),
        cookie_domain(config),
        exposure(config, config.listen),
        exposed_smtp(config),
        exposed_links(config),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn no_shorter(config: &Config, key: &'static str, value: Duration) -> Option<Breach> {
    (value < config.access_token_ttl).then(|| Breach {
        key,
        with: &["access_token_ttl"],
        found: value.show(),
        allowed: format!("at least access_token_ttl, {}", config.access_token_ttl.show()),
    })
}

/// RFC 9106 §3.1: at least 8 blocks of 1 KiB for every lane.
fn argon2_memory(config: &Config) -> Option<Breach> {
    let least = config.argon2_parallelism.saturating_mul(8);
    (config.argon2_memory_kib < least).then(|| Breach {
        key: "argon2_memory_kib",
        with: &["argon2_parallelism"],
        found: config.argon2_memory_kib.show(),
        allowed: format!(
            "at least {least}: 8 KiB for each lane of argon2_parallelism, {}",
            config.argon2_parallelism
        ),
    })
}

fn cookie_domain(config: &Config) -> Option<Breach> {
    let domain = config.cookie_domain.as_deref()?;
    let url = config.public_url(config.listen);
    let covers = |host: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let allowed = if !url.is_https() {
        "only with an https public_url".to_owned()
    } else if !url.domain().is_some_and(covers) {
        format!("the host of public_url, {}, or a parent domain of it", url.host())
    } else {
        return None;
    };
    Some(Breach { key: "cookie_domain", with: &["public_url"], found: domain.to_owned(), allowed })
}

/// Tokens and passwords must not cross a network in the clear unless somebody said so.
pub(super) fn exposure(config: &Config, bound: SocketAddr) -> Option<Breach> {
    let url = config.public_url(bound);
    if url.is_https() || url.is_loopback() || config.allow_insecure {
        return None;
    }
    let permission = "allow_insecure = true permits plain http here";
    Some(match config.public_url {
        Some(_) => Breach {
            key: "public_url",
            with: &["allow_insecure"],
            found: url.to_string(),
            allowed: format!("an https URL, or http on localhost; {permission}"),
        },
        None => Breach {
            key: "listen",
            with: &["public_url", "allow_insecure"],
            found: bound.to_string(),
            allowed: format!("a loopback address, or any with an https public_url; {permission}"),
        },
    })
}

/// What is in a mail signs people in.
fn exposed_smtp(config: &Config) -> Option<Breach> {
    let is_exposed = config.smtp_url.as_ref().is_some_and(SmtpUrl::is_exposed);
    (is_exposed && !config.allow_insecure).then(|| Breach {
        key: "smtp_url",
        with: &["allow_insecure"],
        found: "plain smtp beyond this machine (not shown)".to_owned(),
        allowed: format!("smtps://…, or smtp://…?tls=required; {PERMISSION}"),
    })
}

fn exposed_links(config: &Config) -> Option<Breach> {
    let base = config.mail_link_base.as_ref()?;
    let is_safe = base.is_https() || base.is_loopback() || config.allow_insecure;
    (!is_safe).then(|| Breach {
        key: "mail_link_base",
        with: &["allow_insecure"],
        found: base.to_string(),
        allowed: format!("an https URL, or http on localhost; {PERMISSION}"),
    })
}

/// One sentence for each thing that is allowed but probably not meant.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let standard = Config::default();
    let mut warnings = Vec::new();
    if config.access_token_ttl < config.refresh_grace.saturating_mul(2) {
        warnings.push(format!(
            "access_token_ttl {} is less than twice refresh_grace {}: a superseded refresh \
             token is honoured for most of an access token's life",
            config.access_token_ttl.show(),
            config.refresh_grace.show()
        ));
    }
    if config.lost_response_window < config.refresh_grace {
        warnings.push(format!(
            "lost_response_window {} is shorter than refresh_grace {} and has no effect",
            config.lost_response_window.show(),
            config.refresh_grace.show()
        ));
    }
    let weaker = [
        ("password_min_length", config.password_min_length, standard.password_min_length),
        ("argon2_memory_kib", config.argon2_memory_kib, standard.argon2_memory_kib),
        ("argon2_iterations", config.argon2_iterations, standard.argon2_iterations),
        ("argon2_parallelism", config.argon2_parallelism, standard.argon2_parallelism),
    ];
    for (key, value, default) in weaker {
        if value < default {
            warnings.push(format!(
                "{key} {value} is below the default {default}: passwords are easier to guess"
            ));
        }
    }
    let url = config.public_url(config.listen);
    if config.allow_insecure && !url.is_https() {
        warnings.push(format!(
            "allow_insecure with {url}: passwords and tokens cross the network unencrypted"
        ));
    }
    if config.public_url.is_none() && config.listen.ip().is_unspecified() {
        warnings.push(format!(
            "public_url is unset, so that it is {url}: browsers reach the server under another \
             name, and their requests are refused as coming from a foreign origin"
        ));
    }
    if !config.listen.ip().is_loopback() && url.is_loopback() && !config.allow_insecure {
        warnings.push(format!(
            "listen {} is open to the network, while public_url {url} says that only this \
             machine asks: passwords and tokens may cross the network unencrypted",
            config.listen
        ));
    }
    if config.smtp_ca_file.is_some() && config.smtp_url.is_none() {
        warnings.push("smtp_ca_file has no effect without smtp_url".to_owned());
    }
    warnings
}
