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
use super::profile::{Address, Profile};
use super::refused::{GUARD, Refused, codes};
use super::types::{Session, Time, User};
use crate::domain::id::SessionId;
use crate::domain::time::Timestamp;
use crate::flows;
use crate::http::guard::Guarded;
use crate::http::problem::Code;
use crate::store::Dossier;

pub(in crate::http) struct ExportApi;

codes! {
    /// Of `exportMe`.
    ExportMe = [GUARD];
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
    /// What happened to the account, the latest first, as far back as the server keeps it.
    events: Vec<AccountEvent>,
    /// Whether there are more events than the 10,000 latest, which are here; `listEvents` has all.
    events_truncated: bool,
}

impl Export {
    /// As seen from the session `current`.
    fn seen_from(dossier: Dossier, at: Timestamp, current: SessionId) -> Self {
        let Dossier { user, profile, addresses, sessions, events, events_truncated } = dossier;
        let session = |session| Session::seen_from(session, current);
        Self {
            exported_at: Time(at),
            account: User::from(&user),
            profile: Profile::from(&profile),
            addresses: addresses.iter().map(Address::from).collect(),
            sessions: sessions.iter().map(session).collect(),
            events: events.into_iter().map(AccountEvent::from).collect(),
            events_truncated,
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
            events: vec![AccountEvent::example()],
            events_truncated: false,
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
    /// One document with the account, the profile, the addresses, the devices and the events, all of
    /// one moment (GDPR, articles 15 and 20). Nothing that proves who somebody is, such as the hash of a
    /// password, is in it.
    #[oai(path = "/", method = "get", operation_id = "exportMe")]
    async fn export_me(&self, guarded: Guarded) -> Result<ExportMeOk, Refused<ExportMe>> {
        let caller = &guarded.caller;
        let dossier = flows::dossier::dossier(guarded.app(), caller).await?;
        let (dossier, at) = dossier.ok_or(Code::SessionExpired)?;
        let export = Export::seen_from(dossier, at, caller.session_id());
        Ok(ExportMeOk::Ok(Json(export), Attachment))
    }
}
