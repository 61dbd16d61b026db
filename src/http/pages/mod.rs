//! What is not part of the API: the documentation, the probes, the metrics.

pub mod docs;
pub mod health;
pub mod metrics;
