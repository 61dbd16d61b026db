//! What is said about an import.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::output::count;
use crate::flows::import::{Outcome, Plan};

/// The report, for a person or as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'a> {
    written: bool,
    /// Nothing was compared either: lines were refused.
    #[serde(skip)]
    blocked: bool,
    lines: usize,
    added: usize,
    admins: usize,
    without_password: usize,
    already_there: usize,
    conflicts: Vec<ConflictView<'a>>,
    refused: Vec<RefusedView>,
    ignored_fields: &'a BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct ConflictView<'a> {
    line: usize,
    email: &'a str,
    differs: &'a [&'static str],
}

#[derive(Serialize)]
struct RefusedView {
    line: usize,
    reason: String,
}

impl<'a> Report<'a> {
    pub(super) fn new(plan: &'a Plan, outcome: &'a Outcome, written: bool, blocked: bool) -> Self {
        Self {
            written,
            blocked,
            lines: plan.lines,
            added: outcome.added.users,
            admins: outcome.added.admins,
            without_password: outcome.added.without_password,
            already_there: outcome.already_there,
            conflicts: (outcome.conflicts.iter())
                .map(|each| ConflictView {
                    line: each.line,
                    email: each.email.as_str(),
                    differs: &each.differs,
                })
                .collect(),
            refused: (plan.refused.iter())
                .map(|each| RefusedView { line: each.line, reason: each.why.to_string() })
                .collect(),
            ignored_fields: &plan.ignored,
        }
    }

    pub(super) fn to_text(&self) -> String {
        let refused =
            self.refused.iter().map(|each| format!("line {}: {}", each.line, each.reason));
        let conflicts = self.conflicts.iter().map(|each| {
            let ConflictView { line, email, differs } = each;
            format!(
                "line {line}: {email} is there with another {}, and was left alone",
                differs.join(", ")
            )
        });
        // What is in a file may be anything, and a terminal obeys some of it.
        let ignored = self.ignored_fields.iter().map(|(name, times)| {
            format!("ignored {} in {}", name.escape_debug(), count(*times, "line"))
        });
        let mut lines: Vec<_> = refused.chain(conflicts).chain(ignored).collect();
        lines.push(self.summary());
        lines.join("\n") + "\n"
    }
    fn summary(&self) -> String {
        let (lines, refused) = (count(self.lines, "line"), self.refused.len());
        if self.blocked {
            return format!("{lines}, {refused} refused");
        }
        let added = if self.written { "added" } else { "to add" };
        format!(
            "{lines}: {} {added} ({}, {} without a password), {} already there, {}, {refused} refused",
            count(self.added, "user"),
            count(self.admins, "administrator"),
            self.without_password,
            self.already_there,
            count(self.conflicts.len(), "conflict"),
        )
    }
}
