//! All that is kept about the caller, to be taken along.

use std::borrow::Cow;

use poem::http::HeaderValue;
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{Example, ToHeader, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use super::events::AccountEvent;
use super::examples::USED;
use super::export_types::{EndedSession, SeenDevice};
use super::profile::{Address, Profile};
use super::refused::{GUARD, Refused, codes};
use super::types::{Session, Time, User};
use crate::domain::id::SessionId;
use crate::flows;
use crate::flows::dossier::{Taken, Turn};
use crate::http::guard::Guarded;
use crate::store::Dossier;

pub(in crate::http) struct ExportApi;

codes! {
    /// Of `exportMe`.
    ExportMe = [GUARD] + TooManyAttempts;
}

/// All that is kept about the caller, as it was at one moment.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct Export {
    /// When that was.
    exported_at: Time,
    /// The account.
    account: User,
    /// What the caller says about themselves. A field that is empty is left out.
    profile: Profile,
    /// The postal addresses: the default first, then the others in the order in which they were added.
    addresses: Vec<Address>,
    /// The live sessions, the most recently used first.
    sessions: Vec<Session>,
    /// The sessions that are over and of which something is kept yet, the latest first.
    ended_sessions: Vec<EndedSession>,
    /// Whether there are more of them than the 1,000 latest, which are here; the events tell of all.
    ended_sessions_truncated: bool,
    /// The devices that the caller has signed in from, the one seen last first.
    devices: Vec<SeenDevice>,
    /// What happened to the account, the latest first.
    events: Vec<AccountEvent>,
    /// Whether there are more events than the 1,000 latest, which are here; `listEvents` has all, as
    /// far back as the server keeps them.
    events_truncated: bool,
    // Until this is text.
    #[expect(dead_code, reason = "it is held")]
    #[oai(skip)]
    turn: Option<Turn>,
}

impl Export {
    /// As seen from the session `current`.
    fn seen_from(taken: Taken, current: SessionId) -> Self {
        let Taken { dossier, at, turn } = taken;
        let Dossier { user, profile, addresses, sessions, ended_sessions, devices, events, .. } =
            dossier;
        let session = |session| Session::seen_from(session, current);
        Self {
            exported_at: Time(at),
            account: User::from(&user),
            profile: Profile::from(&profile),
            addresses: addresses.iter().map(Address::from).collect(),
            sessions: sessions.iter().map(session).collect(),
            ended_sessions: ended_sessions.into_iter().map(EndedSession::from).collect(),
            ended_sessions_truncated: dossier.ended_sessions_truncated,
            devices: devices.into_iter().map(SeenDevice::from).collect(),
            events: events.into_iter().map(AccountEvent::from).collect(),
            events_truncated: dossier.events_truncated,
            turn: Some(turn),
        }
    }
}

impl Example for Export {
    fn example() -> Self {
        Self {
            exported_at: Time(USED),
            account: User::example(),
            profile: Profile::example(),
            addresses: vec![Address::example()],
            sessions: vec![Session::example()],
            ended_sessions: vec![EndedSession::example()],
            ended_sessions_truncated: false,
            devices: vec![SeenDevice::example()],
            events: vec![AccountEvent::example()],
            events_truncated: false,
            turn: None,
        }
    }
}

/// Has a browser save the answer rather than show it.
struct Attachment;

impl Type for Attachment {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_content-disposition".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let schema = MetaSchema { max_length: Some(64), ..MetaSchema::new("string") };
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToHeader for Attachment {
    fn to_header(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static(r#"attachment; filename="doorward-export.json""#))
    }
}

/// Of `exportMe`.
#[derive(ApiResponse)]
enum ExportMeOk {
    /// All of it, as a file to be saved.
    #[oai(status = 200)]
    Ok(
        Json<Export>,
        /// Suggests the name of a file: `doorward-export.json`.
        #[oai(header = "Content-Disposition")]
        Attachment,
    ),
}

#[OpenApi(prefix_path = "/api/auth/me/export", tag = "Tag::Account")]
impl ExportApi {
    /// Take along what is kept about the caller
    ///
    /// One document with the account, the profile, the addresses, the sessions, the devices and the
    /// events, all of one moment (GDPR, articles 15 and 20). Nothing that proves who somebody is, such as
    /// the hash of a password, is in it. It can be asked for 10 times an hour. The server puts one
    /// together at a time, for whomever: at a 503 `overloaded` ask again after `Retry-After`.
    #[oai(path = "/", method = "get", operation_id = "exportMe")]
    async fn export_me(&self, guarded: Guarded) -> Result<ExportMeOk, Refused<ExportMe>> {
        let caller = &guarded.caller;
        let taken = flows::dossier::dossier(guarded.app(), caller).await?;
        let export = Export::seen_from(taken, caller.session_id());
        Ok(ExportMeOk::Ok(Json(export), Attachment))
    }
}
