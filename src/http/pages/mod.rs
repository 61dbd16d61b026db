//! What is not part of the API: the pages that links in mails lead to, the documentation, the
//! probes, the metrics.

pub mod account;
mod account_texts;
mod asset;
pub mod docs;
pub mod health;
pub mod metrics;
