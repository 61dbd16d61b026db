//! What Doorward is measured against: the same framework with nothing to do, and the same tokens
//! and database without its writer.

pub mod hello;
pub mod one_commit;
