//! Examples for the reader of the spec: Ana, and where she lives.

use poem_openapi::types::Example;
use uuid::Uuid;

use super::address_types::{Address, AddressChanges, AddressList, NewAddress};
use super::types::{Profile, ProfileChanges};
use crate::domain::id::AddressId;
use crate::domain::patch::Patch;
use crate::domain::time::Timestamp;

/// 2026-11-23T17:13:40Z, when Ana added her address.
const ADDED: Timestamp = Timestamp::from_millis(1_795_454_020_000);

impl Example for Profile {
    fn example() -> Self {
        Self {
            display_name: Some("Ana".to_owned()),
            given_name: Some("Ana María".to_owned()),
            family_name: Some("García".to_owned()),
            phone: Some("+34910000000".to_owned()),
            locale: Some("es-ES".to_owned()),
            time_zone: Some("Europe/Madrid".to_owned()),
            avatar_url: Some("https://example.com/ana.png".to_owned()),
        }
    }
}

impl Example for ProfileChanges {
    fn example() -> Self {
        Self {
            display_name: Patch::Set("Ana".to_owned()),
            given_name: Patch::Keep,
            family_name: Patch::Keep,
            phone: Patch::Set("+34 910 000 000".to_owned()),
            locale: Patch::Set("es-ES".to_owned()),
            time_zone: Patch::Set("Europe/Madrid".to_owned()),
            avatar_url: Patch::Clear,
        }
    }
}

/// The id of Ana's address, for parameters too.
pub(super) fn address_id() -> Uuid {
    AddressId::new(ADDED, &[0x3e, 0x52, 0x9d, 0x04, 0xb8, 0x6f, 0xe1, 0x27, 0x5c, 3]).0
}

impl Example for Address {
    fn example() -> Self {
        let NewAddress {
            label, recipient, line1, line2, postal_code, city, region, country, ..
        } = NewAddress::example();
        Self {
            id: address_id(),
            label,
            recipient,
            line1,
            line2,
            postal_code,
            city,
            region,
            country,
            phone: Some("+34910000000".to_owned()),
            is_default: true,
        }
    }
}

impl Example for AddressList {
    fn example() -> Self {
        Self { addresses: vec![Address::example()] }
    }
}

impl Example for NewAddress {
    fn example() -> Self {
        Self {
            label: Some("Home".to_owned()),
            recipient: "Ana María García".to_owned(),
            line1: "Calle Mayor 1, 2º B".to_owned(),
            line2: None,
            postal_code: Some("28013".to_owned()),
            city: "Madrid".to_owned(),
            region: None,
            country: "ES".to_owned(),
            phone: Some("+34 910 000 000".to_owned()),
            is_default: None,
        }
    }
}

impl Example for AddressChanges {
    fn example() -> Self {
        Self {
            label: Patch::Set("Parents".to_owned()),
            recipient: None,
            line1: None,
            line2: Patch::Keep,
            postal_code: Patch::Keep,
            city: None,
            region: Patch::Keep,
            country: None,
            phone: Patch::Clear,
            is_default: Some(true),
        }
    }
}
