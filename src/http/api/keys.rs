//! The public keys.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::payload::Json;

use super::Tag;
use super::answers::GetKeysOk;
use super::refused::{Refused, codes};
use super::types::{Key, KeyList, KeyState};
use crate::http::Web;

pub(in crate::http) struct KeysApi;

codes! {
    /// Of `getKeys`.
    GetKeys = [];
}

#[OpenApi(prefix_path = "/.well-known", tag = "Tag::Keys")]
impl KeysApi {
    /// Get the public keys
    ///
    /// With these another service verifies access tokens offline (PASETO `v4.public`): the token's
    /// footer names the key by its `kid`. It then cannot know that a session was ended before the
    /// token expires.
    #[oai(path = "/doorward-keys", method = "get", operation_id = "getKeys")]
    #[expect(clippy::unused_async, reason = "poem-openapi wants handlers to be async")]
    async fn get_keys(&self, web: Data<&Arc<Web>>) -> Result<GetKeysOk, Refused<GetKeys>> {
        let keyring = web.app.keys.current();
        let active = keyring.active().ratchet.id;
        let state = |id| {
            if id == active { KeyState::Active } else { KeyState::Older }
        };
        let keys = keyring.sets().map(|set| Key {
            kid: set.public.id().to_owned(),
            key: set.public.to_paserk(),
            state: state(set.ratchet.id),
        });
        Ok(GetKeysOk::Ok(Json(KeyList { keys: keys.collect() })))
    }
}
