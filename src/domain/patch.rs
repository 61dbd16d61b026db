//! What a request asks of a field that may be empty (RFC 7396).

/// A change to a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It was left out: the field stays as it is.
    #[default]
    Keep,
    /// It was null: the field becomes empty.
    Clear,
    /// The field's new value.
    Set(T),
}

impl<T> Patch<T> {
    /// The same change with a value that is parsed.
    pub fn try_map<U, E>(self, parse: impl FnOnce(T) -> Result<U, E>) -> Result<Patch<U>, E> {
        match self {
            Self::Keep => Ok(Patch::Keep),
            Self::Clear => Ok(Patch::Clear),
            Self::Set(value) => parse(value).map(Patch::Set),
        }
    }

    /// Makes the change.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }
}
