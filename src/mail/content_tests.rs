//! What is written, for each thing that there is to write about.

use uuid::Uuid;

use super::super::letter::{Letter, Stamp};
use super::*;
use crate::config::{Origin, Sender};
use crate::domain::account::Email;
use crate::domain::mail::{Mail, MailId};

const ID: OneTimeId = OneTimeId(Uuid::from_u128(7));
const AT: Timestamp = Timestamp::from_millis(1_795_648_740_123);

fn head() -> Letterhead {
    let from = Sender::parse("Example Ltd. <no-reply@example.com>").unwrap();
    Letterhead::new(from, &Origin::parse("https://www.example.com:8443").unwrap())
}

fn letter(about: About) -> Letter {
    let mail = Mail { to: Email::parse("ana@example.org").unwrap(), about };
    let stamp = Stamp { id: MailId(12), at: AT };
    Letter::write(&mail, stamp, &head(), &|id| format!("TOKEN-{}", id.0.as_u128()))
}

fn device(device: &str, ip: &str) -> About {
    About::NewDevice { device: device.to_owned(), ip: ip.to_owned(), at: AT }
}

/// One of each, with its page if it has a link with a token.
fn all() -> Vec<(About, Option<&'static str>)> {
    let (tablet, ip) = ("Firefox on Linux".to_owned(), "192.0.2.7".to_owned());
    vec![
        (About::VerifyEmail { token: ID }, Some("/account/verify-email")),
        (About::AlreadyRegistered, None),
        (About::ResetPassword { token: ID }, Some("/account/reset-password")),
        (About::PasswordChanged, None),
        (About::Invitation { token: ID }, Some("/account/accept-invitation")),
        (About::ConfirmEmailChange { token: ID }, Some("/account/confirm-email")),
        (
            About::EmailChanged { to: "new@example.org".to_owned(), undo: Some(ID), account: None },
            Some("/account/undo-email-change"),
        ),
        (device(&tablet, &ip), None),
        (About::RefreshTokenReused { device: tablet, ip, at: AT }, None),
        (About::AccountDeleted, None),
        (About::Test, None),
    ]
}

#[test]
fn a_letter_in_full() {
    let letter = letter(About::ResetPassword { token: ID });
    let url = "https://www.example.com:8443/account/reset-password?token=TOKEN-7";
    assert_eq!(letter.subject, "Choose another password");
    assert_eq!(
        letter.text,
        format!(
            "Somebody, most likely you, has asked for another password at\n\
             www.example.com.\n\n\
             Choose a password:\n{url}\n\n\
             The link works once, and for a limited time. Nobody who works here will\n\
             ever ask you for it.\n\n\
             If this was not you, do not open it: your password stays as it is.\n\n\
             -- \nExample Ltd.\n"
        )
    );
    let shown = format!("<span style=\"word-break:break-all\">{url}</span>");
    assert!(letter.html.contains(&shown), "{}", letter.html);
    assert!(letter.html.contains(&format!("<a href=\"{url}\" ")), "{}", letter.html);
    assert!(letter.html.contains("<title>Choose another password</title>"), "{}", letter.html);
}

#[test]
fn links_lead_to_the_configured_site_and_nowhere_else() {
    for (about, page) in all() {
        let letter = letter(about.clone());
        let link = page.map(|page| format!("https://www.example.com:8443{page}?token=TOKEN-7"));
        for (form, end) in [(&letter.text, '\n'), (&letter.html, '"')] {
            let tokens = form.matches("TOKEN-7").count();
            match &link {
                Some(link) => assert!(form.contains(&format!("{link}{end}")), "{about:?} {form}"),
                None => assert_eq!(tokens, 0, "{about:?} {form}"),
            }
            let links = form.matches("://").count();
            let ours = form.matches("https://www.example.com:8443").count();
            assert_eq!(links, ours, "{about:?} {form}");
        }
    }
}

#[test]
fn subjects_differ_and_what_is_said_is_said_in_both_forms() {
    let mut subjects: Vec<_> = all().into_iter().map(|(about, _)| letter(about).subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), all().len());
    for (about, _) in all() {
        let letter = letter(about);
        let html = letter.html.replace(['\n', '\r'], " ");
        for word in letter.text.split_whitespace().filter(|word| *word != "--") {
            // A colon follows a label that is a button in HTML.
            let word = word.trim_end_matches(':');
            assert!(html.contains(word), "{word} is not in {html}");
        }
        assert!(letter.text.lines().all(|line| line.len() <= 72 || line.starts_with("https://")));
    }
}

#[test]
fn what_happened_is_told_with_device_address_and_time() {
    let letter = letter(device("Firefox on Linux", ""));
    let facts =
        "  Device: Firefox on Linux\n  Address: unknown\n  Time: 25 November 2026, 23:19 UTC\n";
    assert!(letter.text.contains(facts), "{}", letter.text);
    assert!(letter.html.contains("Device: <b>Firefox on Linux</b><br>"), "{}", letter.html);
}

#[test]
fn what_others_choose_is_only_text() {
    let evil = "<img src=x>\"'&\r\nBcc: b@example.com\r\n\r\n<b>";
    let changed = |undo| About::EmailChanged { to: evil.to_owned(), undo, account: None };
    for about in [device(evil, evil), changed(Some(ID)), changed(None)] {
        let letter = letter(about);
        let escaped = "&lt;img src=x&gt;&quot;&#39;&amp;Bcc: b@example.com&lt;b&gt;";
        assert!(letter.html.contains(escaped), "{}", letter.html);
        assert!(!letter.html.contains("<img"), "{}", letter.html);
        let message = String::from_utf8(letter.message().unwrap().formatted()).unwrap();
        assert!(!message.lines().any(|line| line.starts_with("Bcc")), "{message}");
    }
    let long = letter(device(&"a".repeat(10_000), ""));
    assert!(long.text.len() < 1000);
}

#[test]
fn the_head_is_complete_and_the_same_again() {
    let letter = letter(About::VerifyEmail { token: ID });
    let message = String::from_utf8(letter.message().unwrap().formatted()).unwrap();
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Auto-Submitted: auto-generated",
            "Content-Type: multipart/alternative; boundary=\"=_20261125T231900123Z-000012\"",
            "Date: Wed, 25 Nov 2026 23:19:00 +0000",
            "From: \"Example Ltd.\" <no-reply@example.com>",
            "MIME-Version: 1.0",
            "Message-ID: <20261125T231900123Z-000012@example.com>",
            "Subject: Confirm your e-mail address",
            "To: ana@example.org",
        ]
    );
    // A newcomer opens the file in an editor: the link must not be broken there.
    let link = "\r\nhttps://www.example.com:8443/account/verify-email?token=TOKEN-7\r\n";
    assert!(body.contains(link), "{body}");
    assert_eq!(body.matches("Content-Type: text/").count(), 2, "{body}");
    let again = letter.message().unwrap().formatted();
    assert_eq!(String::from_utf8(again).unwrap(), message);
}

#[test]
fn a_letter_does_not_show_its_links_when_it_is_printed() {
    let shown = format!("{:?}", letter(About::VerifyEmail { token: ID }));
    assert!(shown.contains("ana@example.org") && !shown.contains("TOKEN"), "{shown}");
}
