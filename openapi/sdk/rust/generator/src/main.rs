//! Writes the generated half of `doorward-client` to standard output.
//!
//! Its argument is the path of the OpenAPI document. The document is prepared first (`prepare`),
//! because progenitor takes some things that are said of the wire for the shape of the Rust API.

mod prepare;

use std::error::Error;

use progenitor::{GenerationSettings, Generator, HooksMode};
use quote::quote;
use schemars::schema::{InstanceType, SchemaObject};

const HEADER: &str =
    "// Generated from Doorward's OpenAPI document. Changes will be overwritten.\n";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: doorward-sdk-generator OPENAPI.json")?;
    let mut document = serde_json::from_slice(&std::fs::read(path)?)?;
    prepare::prepare(&mut document)?;
    let spec: openapiv3::OpenAPI = serde_json::from_value(document)?;
    let tokens = Generator::new(&settings()).generate_tokens(&spec)?;
    print!("{HEADER}{}", prettyplease::unparse(&syn::parse2(tokens)?));
    Ok(())
}

/// Each client carries what its requests are authorized by, and must have the hook that adds it.
fn settings() -> GenerationSettings {
    let secret = SchemaObject {
        instance_type: Some(InstanceType::String.into()),
        format: Some(prepare::SECRET.to_owned()),
        ..SchemaObject::default()
    };
    let mut settings = GenerationSettings::new();
    settings
        .with_inner_type(quote! { crate::Authorization })
        .with_hooks(HooksMode::Expected)
        .with_conversion(secret, "crate::Secret", std::iter::empty());
    settings
}
