//! What the stories share: a server of their own, a proxy with faults in front of it, a store that
//! can fail, and bounded polling.

mod proxy;
mod server;
mod stage;
mod store;

pub use proxy::{Fault, Proxy};
pub use server::Server;
pub use stage::{EMAIL, PASSWORD, SignedOut, Stage, until};
pub use store::TestStore;
