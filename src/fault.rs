//! The server's own faults. What a client did wrong is never one.

use std::error::Error;
use std::fmt;

use crate::clock::NoEntropy;
use crate::crypto::hasher::HashFault;
use crate::crypto::keyring::CryptoFault;

/// What a fault means for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too much work at the moment; try again.
    Overloaded,
    /// The database is busy, full or failing, or the server is stopping; try again.
    Unavailable,
    /// A defect.
    Internal,
}

/// Something failed that is not the client's doing. The chain of causes is for the log, the
/// kind for the client.
#[derive(Debug)]
pub struct Fault {
    kind: FaultKind,
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// The log has it already, from when it began.
    is_told: bool,
}

impl Fault {
    /// Too much work at the moment.
    pub const fn overloaded(what: &'static str) -> Self {
        Self { kind: FaultKind::Overloaded, what, source: None, is_told: false }
    }

    /// Out of order at the moment.
    pub const fn unavailable(what: &'static str) -> Self {
        Self { kind: FaultKind::Unavailable, what, source: None, is_told: false }
    }

    /// A defect.
    pub const fn internal(what: &'static str) -> Self {
        Self { kind: FaultKind::Internal, what, source: None, is_told: false }
    }

    /// With the cause.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The same, which the log has already: it lasts, and was written down when it began.
    #[must_use]
    pub const fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// Whether the log has it already.
    pub const fn is_told(&self) -> bool {
        self.is_told
    }

    /// What it means for whoever waits.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<HashFault> for Fault {
    fn from(fault: HashFault) -> Self {
        match fault {
            HashFault::Overloaded => Self::overloaded("the password hashing queue is full"),
            HashFault::Broken => Self::internal("password hashing").because(fault),
        }
    }
}

impl From<CryptoFault> for Fault {
    fn from(fault: CryptoFault) -> Self {
        Self::internal("making a token").because(fault)
    }
}

impl From<NoEntropy> for Fault {
    fn from(fault: NoEntropy) -> Self {
        Self::unavailable("randomness").because(fault)
    }
}
