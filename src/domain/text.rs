//! Texts that a person writes about themselves, on one line.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// A line of at most `MAX` code points: NFC, without blanks around it, never empty, and without
/// characters that break the line or reorder what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

/// Why a text is not such a line. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but blanks.
    #[error("must not be empty")]
    Empty,
    /// More code points than that.
    #[error("must be at most {0} characters long")]
    TooLong(usize),
    /// It has a control character.
    #[error("must be one line, without control characters")]
    Control,
}

impl<const MAX: usize> Text<MAX> {
    /// Parses what a person typed into the form that is kept.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text: String = text.nfc().collect();
        let text = text.trim_matches(is_blank);
        if text.is_empty() {
            Err(TextError::Empty)
        } else if text.contains(is_control) {
            Err(TextError::Control)
        } else if text.chars().count() > MAX {
            Err(TextError::TooLong(MAX))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// A text that was parsed before it was stored.
    pub(crate) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether nothing is seen of it at the end of a text. Within a text the joiners matter: Persian
/// is written with them, and so are emoji.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Control characters, the line separators, and what overrides the direction of writing: a name
/// could turn around the text that it is shown in.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, TextError> {
        Text::<5>::parse(text).map(|text| text.to_string())
    }

    #[test]
    fn is_kept_trimmed_and_composed() {
        for (typed, kept) in [
            ("Ana", "Ana"),
            (" Ana\t\r\n", "Ana"),
            ("\u{a0}\u{200b}Ana\u{feff}", "Ana"),
            ("A  na", "A  na"),
            ("u\u{308}", "\u{fc}"),
            ("می\u{200c}خ", "می\u{200c}خ"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
            ("<&'\">", "<&'\">"),
        ] {
            assert_eq!(parse(typed).as_deref(), Ok(kept), "{typed:?}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points_of_what_is_kept() {
        assert_eq!(parse("üüüüü").as_deref(), Ok("üüüüü"));
        assert_eq!(parse(&"u\u{308}".repeat(5)).as_deref(), Ok("üüüüü"));
        assert_eq!(parse(&format!("{0}12345{0}", " ".repeat(9))).as_deref(), Ok("12345"));
        assert_eq!(parse("123456"), Err(TextError::TooLong(5)));
        assert_eq!(parse("🦀🦀🦀🦀🦀🦀"), Err(TextError::TooLong(5)));
    }

    #[test]
    fn what_is_empty_or_no_line_is_refused() {
        for text in ["", " ", "\n", "\u{3000}", "\u{200b}\u{200d}"] {
            assert_eq!(parse(text), Err(TextError::Empty), "{text:?}");
        }
        for c in ["\0", "\n", "\r", "\t", "\u{7f}", "\u{85}", "\u{2028}", "\u{202e}", "\u{2066}"] {
            assert_eq!(parse(&format!("a{c}b")), Err(TextError::Control), "{c:?}");
        }
    }
}
