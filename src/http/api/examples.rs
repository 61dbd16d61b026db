//! Examples for the reader of the spec: Ana, on her laptop.
//!
//! Those of the schemas are values of the types themselves, so they have the right shape. Where a
//! client with cookies and one without see different things, [`named`] shows both.

use poem_openapi::types::{Example, ToJSON};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::account_types::{
    Acceptance, CurrentPassword, EmailAddress, EmailChange, OneTimeToken, PasswordChange,
    PasswordReset,
};
use super::types::{
    Credentials, Delivery, Key, KeyList, KeyState, Message, RefreshToken, Refreshed, Registered,
    Role, Session, SessionList, SignedIn, Time, User,
};
use crate::domain::id::{SessionId, UserId};
use crate::domain::time::Timestamp;

/// 2026-11-23T16:43:40Z, when Ana registered.
pub(super) const REGISTERED: Timestamp = Timestamp::from_millis(1_795_452_220_000);
/// Half an hour later, when she used the session last, and 30 days after that.
pub(super) const USED: Timestamp = Timestamp::from_millis(1_795_454_020_000);
const EXPIRES: Timestamp = Timestamp::from_millis(1_798_046_020_000);

// Shortened, so that nobody takes them for real ones.
const ACCESS_TOKEN: &str = "v4.public.eyJpc3MiOi…";
const REFRESH_TOKEN: &str = "v4.local.3maOw6vDGz…";
const ONE_TIME_TOKEN: &str = "AZC4oAAAcACAAAAAAAAAAQ.Zf3k…";

impl Example for Credentials {
    fn example() -> Self {
        Self {
            email: "ana@example.com".to_owned(),
            password: "correct horse battery".to_owned(),
            delivery: Some(Delivery::Cookie),
            remember: None,
        }
    }
}

impl Example for PasswordChange {
    fn example() -> Self {
        Self {
            current_password: "correct horse battery".to_owned(),
            new_password: "staple, upright and shiny".to_owned(),
        }
    }
}

impl Example for Acceptance {
    fn example() -> Self {
        Self {
            token: ONE_TIME_TOKEN.to_owned(),
            password: "correct horse battery".to_owned(),
            delivery: Some(Delivery::Cookie),
            remember: None,
        }
    }
}

impl Example for CurrentPassword {
    fn example() -> Self {
        Self { password: "correct horse battery".to_owned() }
    }
}

impl Example for EmailAddress {
    fn example() -> Self {
        Self { email: "ana@example.com".to_owned() }
    }
}

impl Example for OneTimeToken {
    fn example() -> Self {
        Self { token: ONE_TIME_TOKEN.to_owned() }
    }
}

impl Example for PasswordReset {
    fn example() -> Self {
        Self {
            token: ONE_TIME_TOKEN.to_owned(),
            new_password: "staple, upright and shiny".to_owned(),
        }
    }
}

impl Example for EmailChange {
    fn example() -> Self {
        Self {
            new_email: "ana.maria@example.com".to_owned(),
            password: "correct horse battery".to_owned(),
        }
    }
}

impl Example for RefreshToken {
    /// What Swagger UI sends, which has cookies.
    fn example() -> Self {
        Self { refresh_token: None }
    }
}

impl Example for User {
    fn example() -> Self {
        Self {
            id: UserId::new(REGISTERED, &[0x71, 0x16, 0x58, 0xf8, 0x77, 0xc3, 0x4d, 0xea, 0x6b, 1])
                .0,
            email: "ana@example.com".to_owned(),
            role: Role::User,
            is_verified: false,
            created_at: Time(REGISTERED),
            updated_at: Time(REGISTERED),
        }
    }
}

/// The id of Ana's session, for parameters too.
pub(super) fn session_id() -> Uuid {
    SessionId::new(REGISTERED, &[0x1c, 0xfb, 0x3a, 0x15, 0x49, 0xd3, 0x96, 0x1d, 0xdb, 7]).0
}

impl Example for Session {
    fn example() -> Self {
        Self {
            id: session_id(),
            created_at: Time(REGISTERED),
            last_used_at: Time(USED),
            expires_at: Time(EXPIRES),
            ip: "203.0.113.7".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
                .to_owned(),
            device: "Firefox on Linux".to_owned(),
            current: true,
        }
    }
}

impl Example for SignedIn {
    fn example() -> Self {
        Self {
            message: "Login successful".to_owned(),
            user: User::example(),
            session: Session::example(),
            access_token_expires_in: 856,
            access_token: Some(ACCESS_TOKEN.to_owned()),
            refresh_token: Some(REFRESH_TOKEN.to_owned()),
        }
    }
}

impl Example for Registered {
    fn example() -> Self {
        Self {
            message: "Registration successful".to_owned(),
            user: User::example(),
            session: Some(Session::example()),
            access_token_expires_in: Some(856),
            access_token: Some(ACCESS_TOKEN.to_owned()),
            refresh_token: Some(REFRESH_TOKEN.to_owned()),
        }
    }
}

impl Example for Refreshed {
    fn example() -> Self {
        Self {
            message: "Access token refreshed".to_owned(),
            session: Session::example(),
            access_token_expires_in: 856,
            access_token: Some(ACCESS_TOKEN.to_owned()),
            refresh_token: Some(REFRESH_TOKEN.to_owned()),
        }
    }
}

impl Example for Message {
    fn example() -> Self {
        Self { message: "Logged out successfully".to_owned() }
    }
}

impl Example for SessionList {
    fn example() -> Self {
        Self { sessions: vec![Session::example()] }
    }
}

impl Example for Key {
    fn example() -> Self {
        Self {
            kid: "k4.pid.YQ7dgFLRne2_Mh56o4i9Hrrf70UA8PGzYdlEGZ8F7sVq".to_owned(),
            key: "k4.public.n58X9OFQiWQIF4svo4BSnGmHjpvTzG1hAHsqbCpfBVk".to_owned(),
            state: KeyState::Active,
        }
    }
}

impl Example for KeyList {
    fn example() -> Self {
        Self { keys: vec![Key::example()] }
    }
}

/// What an answer of the schema is for a client with cookies, and for one without; nothing where
/// that is the same. (Requests have the example of their schema alone: openapi-generator's Java
/// warns about others.)
pub(in crate::http) fn named(schema: &str) -> Map<String, Value> {
    let (cookies, body) = match schema {
        "SignedIn" => without_tokens(SignedIn::example().to_json()),
        "Registered" => without_tokens(Registered::example().to_json()),
        "Refreshed" => without_tokens(Refreshed::example().to_json()),
        _ => return Map::new(),
    };
    let example = |summary, value| json!({ "summary": summary, "value": value });
    Map::from_iter([
        ("browser".to_owned(), example("In a browser: the tokens travel in cookies", cookies)),
        ("program".to_owned(), example("Without a cookie jar: the tokens travel in bodies", body)),
    ])
}

/// What the operations say that answer with nothing but a `Message`.
const SAID: [(&str, &str); 9] = [
    ("changeEmail", "A mail is on its way to the new address"),
    ("confirmEmail", "E-mail address changed"),
    ("forgotPassword", "If there is such an account, a mail is on its way"),
    ("logout", "Logged out successfully"),
    ("logoutAll", "Logged out from all devices"),
    ("resendVerification", "If it is not verified yet, a mail is on its way"),
    ("resetPassword", "Password changed"),
    ("undoEmailChange", "E-mail address restored"),
    ("verifyEmail", "E-mail address verified"),
];

/// What the operation answers with: the example of the schema is that of `logout`.
pub(in crate::http) fn said(operation: &str) -> Option<Value> {
    let (_, message) = SAID.iter().find(|(id, _)| *id == operation)?;
    let value = Message { message: (*message).to_owned() }.to_json();
    Some(json!({ "summary": message, "value": value }))
}

fn without_tokens(body: Option<Value>) -> (Option<Value>, Option<Value>) {
    let mut cookies = body.clone();
    if let Some(members) = cookies.as_mut().and_then(Value::as_object_mut) {
        members.retain(|name, _| !["accessToken", "refreshToken"].contains(&name.as_str()));
    }
    (cookies, body)
}
