//! What is printed, and how.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

use super::failure::Failure;

/// Columns apart by spaces, for eyes and for `awk`, and a thin line under the headings.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// On a terminal of fewer columns a table is left for the terminal to break.
const NARROWEST: u16 = 80;

/// Prints to standard output. A reader that has seen enough, as in `| head`, is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether standard output goes to a file that something is in already.
pub(super) fn is_appended() -> bool {
    let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|it| it.is_file() && it.len() > 0)
}

/// Says one line on standard error.
pub(super) fn complain(line: &str) {
    // There is nobody left to tell that standard error is gone.
    let _ = writeln!(io::stderr(), "doorward: {line}");
}

/// Says what is allowed but probably not meant.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
}

/// Lays out rows under their headings, as wide as the terminal. The first column is never
/// broken, so that a name in it can be copied.
pub(super) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings)
        .add_rows(rows);
    if let Some(terminal) = table.width() {
        table.set_width(terminal.max(NARROWEST));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    format!("{}\n", table.trim_fmt())
}

/// JSON for a script, indented for a person.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    Ok(text + "\n")
}

/// How much of a list is wanted at most.
pub(super) fn limit() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=100_000)
}

/// The value, or a dash where there is none.
pub(super) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// `1 session`, `2 sessions`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
