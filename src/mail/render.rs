//! A letter on paper: as text, and as HTML. Both come from the same content, so that neither says
//! what the other does not; and whatever goes into HTML is escaped here, in one place.

use std::fmt::Write as _;

use super::content::{Block, Content};

/// Lines of text are no longer, but for links.
const WIDTH: usize = 72;

/// For programs and people that want no HTML.
pub(super) fn text(content: &Content, signature: &str) -> String {
    let mut out = String::new();
    for block in &content.blocks {
        match block {
            Block::Text(text) => out.push_str(&wrapped(text)),
            // On a line of its own, or a program might break it.
            Block::Link { label, url } => drop(writeln!(out, "{label}:\n{url}")),
            Block::Facts(facts) => {
                for (name, value) in facts {
                    let _ = writeln!(out, "  {name}: {value}");
                }
            }
        }
        out.push('\n');
    }
    // RFC 3676 §4.3: what follows is a signature.
    let _ = writeln!(out, "-- \n{signature}");
    out
}

fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

/// One column, legible everywhere, and nothing that is fetched from elsewhere.
pub(super) fn html(content: &Content, signature: &str) -> String {
    let mut body = String::new();
    for block in &content.blocks {
        let _ = match block {
            Block::Text(text) => writeln!(body, "<p>{}</p>", escaped(text)),
            Block::Link { label, url } => {
                let (label, url) = (escaped(label), escaped(url));
                writeln!(
                    body,
                    "<p><a href=\"{url}\" style=\"display:inline-block;padding:10px 18px;\
                     background:#1f4fbf;color:#fff;border-radius:6px;text-decoration:none\">{label}</a></p>\n\
                     <p style=\"color:#555;font-size:13px\">Or open this address:<br>\n\
                     <span style=\"word-break:break-all\">{url}</span></p>"
                )
            }
            Block::Facts(facts) => {
                let lines: Vec<_> = facts
                    .iter()
                    .map(|(name, value)| format!("{}: <b>{}</b>", escaped(name), escaped(value)))
                    .collect();
                writeln!(body, "<p>{}</p>", lines.join("<br>\n"))
            }
        };
    }
    let (subject, signature) = (escaped(content.subject), escaped(signature));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{subject}</title>\n</head>\n\
         <body style=\"margin:0 auto;padding:24px;max-width:34em;font:16px/1.5 sans-serif;color:#222\">\n\
         <h1 style=\"font-size:20px\">{subject}</h1>\n{body}\
         <p style=\"color:#555;font-size:13px\">{signature}</p>\n</body>\n</html>\n"
    )
}

/// Safe as text and within double quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
