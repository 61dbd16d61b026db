//! What the pages behind the links in mails say.

use crate::mail::pages;

/// What the page of a link says.
pub(super) struct Page {
    pub(super) path: &'static str,
    /// The operation that the button calls.
    pub(super) operation: &'static str,
    pub(super) heading: &'static str,
    pub(super) lead: &'static str,
    pub(super) button: &'static str,
    pub(super) password: Option<PasswordField>,
    pub(super) endings: &'static [Ending],
}

/// How it may end: the code of the answer, and what is said then as heading and text.
pub(super) type Ending = (&'static str, &'static str, &'static str);

/// The field for a new password.
pub(super) struct PasswordField {
    /// As the operation calls it.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
}

const DONE: &str = "done";
const INVALID: &str = "invalid_token";
const TAKEN: &str = "email_taken";
const NOT_VALID: &str = "This link is not valid any more";

pub(super) const PAGES: [Page; 5] = [
    Page {
        path: pages::VERIFY_EMAIL,
        operation: "/api/auth/verify-email",
        heading: "Confirm your e-mail address",
        lead: "One step is left: say that the mail has reached you.",
        button: "Confirm the address",
        password: None,
        endings: &[
            (DONE, "Your address is confirmed", "You can close this page and sign in."),
            (
                INVALID,
                NOT_VALID,
                "It works once, for a limited time, and only the newest one does. If you have used it \
                 before, your address is confirmed: sign in. Otherwise ask for another mail where you \
                 sign in.",
            ),
        ],
    },
    Page {
        path: pages::RESET_PASSWORD,
        operation: "/api/auth/reset-password",
        heading: "Choose another password",
        lead: "You will be signed out everywhere. Sign in with the new one then.",
        button: "Change the password",
        password: Some(PasswordField { name: "newPassword", label: "New password" }),
        endings: &[
            (
                DONE,
                "Your password is changed",
                "You are signed out everywhere. Close this page and sign in with the new password.",
            ),
            (
                INVALID,
                NOT_VALID,
                "It works once, for a limited time, and only the newest one does. If you have just used \
                 it, sign in with the new password. Otherwise ask for another mail where you sign in.",
            ),
        ],
    },
    Page {
        path: pages::CONFIRM_EMAIL,
        operation: "/api/auth/confirm-email",
        heading: "Confirm your new e-mail address",
        lead: "The address that the mail was sent to becomes the address of the account whose owner has \
               asked for it. Do this only if you asked for it yourself: otherwise an account of somebody \
               else gets your address.",
        button: "Use this address",
        password: None,
        endings: &[
            (
                DONE,
                "Your address is changed",
                "You can close this page. From now on sign in with the new address; the old one was \
                 told of the change.",
            ),
            (
                INVALID,
                NOT_VALID,
                "It works once, for a limited time, and only the newest one does. If you have used it \
                 before, sign in with the new address. Otherwise sign in with the old one and ask for \
                 the change again.",
            ),
            (
                TAKEN,
                "This address belongs to another account",
                "Your account keeps the address that it has. To use this one, delete the other account \
                 first; then ask for the change again. An address that an account has given up is kept \
                 for it for a week.",
            ),
        ],
    },
    Page {
        path: pages::UNDO_EMAIL_CHANGE,
        operation: "/api/auth/undo-email-change",
        heading: "Undo the change of your e-mail address",
        lead: "Your account gets back the address that the mail was sent to, and everybody is signed \
               out of it.",
        button: "Undo the change",
        password: None,
        endings: &[
            (
                DONE,
                "Your account has its address back",
                "Everybody is signed out. Now have a mail sent to you to choose another password: \
                 somebody may know the old one.",
            ),
            (
                INVALID,
                NOT_VALID,
                "It works once, for a limited time. If you have used it before, your account has its \
                 address back. If you have not, and the change was not yours, write to who runs this \
                 site.",
            ),
            (
                TAKEN,
                "This address belongs to another account",
                "Somebody has made an account with it in the meantime. If that was not you, write to \
                 who runs this site: the link stays good for its week.",
            ),
        ],
    },
    Page {
        path: pages::ACCEPT_INVITATION,
        operation: "/api/auth/accept-invitation",
        heading: "Accept the invitation",
        lead: "Choose a password. Your account is for the address that the mail was sent to.",
        button: "Make the account",
        password: Some(PasswordField { name: "password", label: "Password" }),
        endings: &[
            (DONE, "Your account is made", "You are signed in here, and can close this page."),
            (
                INVALID,
                NOT_VALID,
                "It works once, and for a limited time. If you have used it before, sign in. Otherwise ask \
                 who invited you for another.",
            ),
            (
                TAKEN,
                "You have an account already",
                "Sign in with this address and the password of that account. If you have forgotten it, \
                 you can choose another one where you sign in.",
            ),
        ],
    },
];
