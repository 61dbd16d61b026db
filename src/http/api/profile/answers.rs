//! What the operations answer when all is well.

use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;

use super::address_types::{Address, AddressList};
use super::types::Profile;

/// Of `getProfile`.
#[derive(ApiResponse)]
pub(super) enum GetProfileOk {
    /// The caller's profile.
    #[oai(status = 200)]
    Ok(Json<Profile>),
}

/// Of `updateProfile`.
#[derive(ApiResponse)]
pub(super) enum UpdateProfileOk {
    /// The profile as it now is.
    #[oai(status = 200)]
    Ok(Json<Profile>),
}

/// Of `listAddresses`.
#[derive(ApiResponse)]
pub(super) enum ListAddressesOk {
    /// The caller's addresses, of which there may be none.
    #[oai(status = 200)]
    Ok(Json<AddressList>),
}

/// Of `addAddress`.
#[derive(ApiResponse)]
pub(super) enum AddAddressOk {
    /// The address was added.
    #[oai(status = 201)]
    Created(Json<Address>),
}

/// Of `updateAddress`.
#[derive(ApiResponse)]
pub(super) enum UpdateAddressOk {
    /// The address as it now is.
    #[oai(status = 200)]
    Ok(Json<Address>),
}

/// Of `removeAddress`.
#[derive(ApiResponse)]
pub(super) enum RemoveAddressOk {
    /// The address is gone.
    #[oai(status = 204)]
    NoContent,
}
