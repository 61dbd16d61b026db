//! `doorward config`.

use serde::Serialize;

use super::failure::Failure;
use super::output;
use crate::config::{Loaded, Setting};

#[derive(Serialize)]
struct SettingView<'a> {
    key: &'static str,
    value: &'a str,
    source: String,
}

impl<'a> From<&'a Setting> for SettingView<'a> {
    fn from(setting: &'a Setting) -> Self {
        Self { key: setting.key, value: &setting.value, source: setting.source.to_string() }
    }
}

/// Every setting in force.
pub(super) fn show(loaded: &Loaded, json: bool) -> Result<String, Failure> {
    output::warn(&loaded.warnings);
    let views = loaded.settings.iter().map(SettingView::from);
    if json {
        return output::json(&views.collect::<Vec<_>>());
    }
    let rows = views.map(|view| [view.key.to_owned(), view.value.to_owned(), view.source]);
    Ok(output::table(["Setting", "Value", "Source"], rows))
}
