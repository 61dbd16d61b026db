//! Parsing the fields of a request one by one, so that all that is wrong is told at once.

use std::fmt::Display;

use crate::domain::patch::Patch;
use crate::http::problem::{FieldError, Problem};

/// The field as it is answered.
pub(super) fn written(field: Option<&impl Display>) -> Option<String> {
    field.map(ToString::to_string)
}

/// Collects what is wrong with the fields.
#[derive(Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    /// The value, unless it is wrong.
    pub(super) fn value<T, E: Display>(
        &mut self,
        field: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.keep(field, parse(text))
    }

    /// The value, unless it is wrong or not there.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        field: &str,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        text.and_then(|text| self.value(field, &text, parse))
    }

    /// The change; none where it is wrong.
    pub(super) fn patch<T, E: Display>(
        &mut self,
        field: &str,
        patch: Patch<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Patch<T> {
        self.keep(field, patch.try_map(|text| parse(&text))).unwrap_or_default()
    }

    fn keep<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        let complain = |error: &E| {
            self.0.push(FieldError { field: field.to_owned(), message: error.to_string() });
        };
        parsed.inspect_err(complain).ok()
    }

    /// What was made of the fields, unless one of them is wrong.
    pub(super) fn finish<T>(self, made: Option<T>) -> Result<T, Problem> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => Err(Problem::fields(self.0)),
        }
    }
}
