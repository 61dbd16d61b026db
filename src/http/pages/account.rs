//! The pages that links in mails lead to.
//!
//! A page is the same for every link: its script reads the token from the address, and sends it when
//! the person presses the button. The server puts nothing of a request into it, and a `GET`, such as a
//! mail scanner makes, uses nothing up.

use super::account_texts::{Ending, PAGES, Page, PasswordField};
use super::asset::{Asset, hashes};
use crate::domain::password::PasswordRules;

const TEMPLATE: &str = include_str!("account.html");

/// Of every page, when it is opened without a token.
const INCOMPLETE: Ending = (
    "incomplete",
    "This link is incomplete",
    "Open the link of the mail again. If you copy it, copy all of it.",
);

/// The pages and where they are. They say what a new password has to be; the operation decides.
pub(in crate::http) fn all(rules: PasswordRules) -> impl Iterator<Item = (&'static str, Asset)> {
    PAGES.iter().map(move |page| {
        let html = page.html(rules);
        let policy = content_security_policy(&html);
        (page.path, Asset::page(html, &policy).not_stored())
    })
}

/// Nothing runs and nothing is drawn but what is in the page, no text becomes markup, and the page
/// talks to this server alone. A form that is sent without its script goes nowhere.
fn content_security_policy(page: &str) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hashes(page, "script"),
        hashes(page, "style")
    )
}

impl Page {
    /// All that is filled in is written by us: there is nothing to escape.
    fn html(&self, rules: PasswordRules) -> String {
        let field = self.password.as_ref();
        TEMPLATE
            .replace("{{heading}}", self.heading)
            .replace("{{lead}}", self.lead)
            .replace("{{operation}}", self.operation)
            .replace("{{field}}", field.map_or("", |field| field.name))
            .replace("{{password}}", &field.map(|field| field.html(rules)).unwrap_or_default())
            .replace("{{button}}", self.button)
            .replace("{{endings}}", &self.endings())
    }

    fn endings(&self) -> String {
        let endings: Vec<_> = self.endings.iter().chain([&INCOMPLETE]).map(ending).collect();
        endings.join("\n  ")
    }
}

impl PasswordField {
    fn html(&self, rules: PasswordRules) -> String {
        let PasswordRules { min_chars, min_score } = rules;
        let plural = if min_chars == 1 { "" } else { "s" };
        let guess = if min_score > 0 { ", and hard to guess" } else { "" };
        let label = self.label;
        format!(
            r#"<label for="password">{label}</label>
      <input id="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required minlength="{min_chars}" aria-describedby="hint mistake">
      <p id="hint" class="hint">At least {min_chars} character{plural}{guess}. Several words are easy to remember.</p>
      <p id="mistake" class="wrong"></p>
      <label class="show"><input id="show" type="checkbox"> Show the password</label>"#
        )
    }
}

/// A part of the page that is shown when it is over. Who cannot see it is read it, as it gets the
/// focus.
fn ending((code, heading, text): &Ending) -> String {
    format!(
        r#"<section id="{code}" tabindex="-1" aria-labelledby="{code}-heading" aria-describedby="{code}-text" hidden>
    <h1 id="{code}-heading">{heading}</h1>
    <p id="{code}-text">{text}</p>
  </section>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        for page in &PAGES {
            let html = page.html(PasswordRules { min_chars: 8, min_score: 0 });
            assert!(!html.contains("{{") && !html.contains("}}"), "{}", page.path);
            let endings = page.endings.iter().flat_map(|(_, heading, text)| [*heading, *text]);
            for text in endings.chain([page.heading, page.lead, page.button]) {
                assert!(!text.contains(['<', '>', '&', '"']), "{text}");
            }
        }
    }
}
