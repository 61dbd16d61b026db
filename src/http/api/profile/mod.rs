//! What the caller says about themselves.

mod address_types;
mod answers;
mod examples;
mod fields;
mod types;

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use uuid::Uuid;

pub(super) use self::address_types::Address;
use self::address_types::{AddressChanges, AddressList, NewAddress};
use self::answers::{
    AddAddressOk, GetProfileOk, ListAddressesOk, RemoveAddressOk, UpdateAddressOk, UpdateProfileOk,
};
use self::examples::address_id as example_id;
pub(super) use self::types::Profile;
use self::types::ProfileChanges;
use super::Tag;
use super::refused::{BODY, GUARD, Refused, codes};
use crate::domain::id::AddressId;
use crate::flows::{addresses, profile};
use crate::http::body::Body;
use crate::http::guard::{CsrfHeader, Guarded};
use crate::http::problem::Code;

pub(in crate::http) struct ProfileApi;

codes! {
    /// Of `getProfile`.
    GetProfile = [GUARD];
    /// Of `updateProfile`.
    UpdateProfile = [GUARD, BODY] + CsrfFailed + TooManyAttempts;
    /// Of `listAddresses`.
    ListAddresses = [GUARD];
    /// Of `addAddress`.
    AddAddress = [GUARD, BODY] + CsrfFailed + TooManyAddresses + TooManyAttempts;
    /// Of `updateAddress`.
    UpdateAddress = [GUARD, BODY] + CsrfFailed + NotFound + TooManyAttempts;
    /// Of `removeAddress`.
    RemoveAddress = [GUARD] + CsrfFailed + NotFound + TooManyAttempts;
}

#[OpenApi(prefix_path = "/api/profile", tag = "Tag::Profile")]
impl ProfileApi {
    /// Get the caller's profile
    ///
    /// What the caller has said about themselves. A field that is empty is left out; of a new
    /// account all are.
    #[oai(path = "/", method = "get", operation_id = "getProfile")]
    async fn get_profile(&self, guarded: Guarded) -> Result<GetProfileOk, Refused<GetProfile>> {
        let profile = profile::get(guarded.app(), &guarded.caller).await?;
        Ok(GetProfileOk::Ok(Json(Profile::from(&profile.ok_or(Code::SessionExpired)?))))
    }

    /// Change the caller's profile
    ///
    /// A field that is left out stays as it is, and null empties it (as by RFC 7396). All of the
    /// changes are made, or none. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/", method = "patch", operation_id = "updateProfile")]
    async fn update_profile(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<ProfileChanges>,
    ) -> Result<UpdateProfileOk, Refused<UpdateProfile>> {
        let change = body.0.parse()?;
        let Guarded { caller, envelope } = guarded;
        let app = &envelope.web.app;
        let profile = profile::update(app, &caller, change, envelope.client()).await?;
        Ok(UpdateProfileOk::Ok(Json(Profile::from(&profile))))
    }

    /// List the caller's addresses
    ///
    /// The default comes first, then the others in the order in which they were added.
    #[oai(path = "/addresses", method = "get", operation_id = "listAddresses")]
    async fn list_addresses(
        &self,
        guarded: Guarded,
    ) -> Result<ListAddressesOk, Refused<ListAddresses>> {
        let addresses = addresses::list(guarded.app(), &guarded.caller).await?;
        let addresses = addresses.iter().map(Address::from).collect();
        Ok(ListAddressesOk::Ok(Json(AddressList { addresses })))
    }

    /// Add an address
    ///
    /// The first one becomes the default. Another one becomes it with `"isDefault": true`, in
    /// place of the one that was. There can be 20. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/addresses", method = "post", operation_id = "addAddress")]
    async fn add_address(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<NewAddress>,
    ) -> Result<AddAddressOk, Refused<AddAddress>> {
        let (place, is_default) = body.0.parse()?;
        let Guarded { caller, envelope } = guarded;
        let app = &envelope.web.app;
        let address = addresses::add(app, &caller, place, is_default, envelope.client()).await?;
        Ok(AddAddressOk::Created(Json(Address::from(&address))))
    }

    /// Change an address
    ///
    /// A field that is left out stays as it is, and null empties it (as by RFC 7396).
    /// `"isDefault": true` makes it the default in place of the one that was; the default cannot
    /// be given up in another way. Another user's address answers like one that does not exist.
    /// By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/addresses/:addressId", method = "patch", operation_id = "updateAddress")]
    async fn update_address(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of one of the addresses that `listAddresses` shows.
        #[oai(name = "addressId", example = "example_id")]
        address_id: Path<Uuid>,
        body: Body<AddressChanges>,
    ) -> Result<UpdateAddressOk, Refused<UpdateAddress>> {
        let change = body.0.parse()?;
        let Guarded { caller, envelope } = guarded;
        let (app, id) = (&envelope.web.app, AddressId(address_id.0));
        let address = addresses::update(app, &caller, id, change, envelope.client()).await?;
        Ok(UpdateAddressOk::Ok(Json(Address::from(&address))))
    }

    /// Remove an address
    ///
    /// When it was the default, the one of the others that was added first becomes the default.
    /// Another user's address answers like one that does not exist. By cookie it needs the
    /// `X-CSRF-Token` header.
    #[oai(path = "/addresses/:addressId", method = "delete", operation_id = "removeAddress")]
    async fn remove_address(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of one of the addresses that `listAddresses` shows.
        #[oai(name = "addressId", example = "example_id")]
        address_id: Path<Uuid>,
    ) -> Result<RemoveAddressOk, Refused<RemoveAddress>> {
        let Guarded { caller, envelope } = guarded;
        let (app, id) = (&envelope.web.app, AddressId(address_id.0));
        addresses::remove(app, &caller, id, envelope.client()).await?;
        Ok(RemoveAddressOk::NoContent)
    }
}
