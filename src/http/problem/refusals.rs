//! What the flows refuse, as problems.

use super::{Code, FieldError, Problem};
use crate::flows::{
    addresses, administration, authenticate, dossier, invitations, login, password, profile,
    recovery, refresh, register,
};

impl From<register::Refusal> for Problem {
    fn from(refusal: register::Refusal) -> Self {
        match refusal {
            register::Refusal::Closed => Code::RegistrationClosed.into(),
            register::Refusal::TooManyAttempts(wait) => wait.into(),
            register::Refusal::EmailTaken => Code::EmailTaken.into(),
            register::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<login::Refusal> for Problem {
    fn from(refusal: login::Refusal) -> Self {
        match refusal {
            login::Refusal::TooManyAttempts(wait) => wait.into(),
            login::Refusal::InvalidCredentials => Code::InvalidCredentials.into(),
            login::Refusal::AccountDisabled => Code::AccountDisabled.into(),
            login::Refusal::EmailNotVerified => Code::EmailNotVerified.into(),
            login::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<password::Refusal> for Problem {
    fn from(refusal: password::Refusal) -> Self {
        match refusal {
            password::Refusal::TooManyAttempts(wait) => wait.into(),
            password::Refusal::WrongPassword => Code::WrongPassword.into(),
            password::Refusal::SessionExpired => Code::SessionExpired.into(),
            password::Refusal::LastAdmin => Code::LastAdmin.into(),
            password::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<recovery::Refusal> for Problem {
    fn from(refusal: recovery::Refusal) -> Self {
        match refusal {
            recovery::Refusal::TooManyAttempts(wait) => wait.into(),
            recovery::Refusal::InvalidToken => Code::InvalidToken.into(),
            recovery::Refusal::EmailTaken => Code::EmailTaken.into(),
            recovery::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<invitations::Refusal> for Problem {
    fn from(refusal: invitations::Refusal) -> Self {
        match refusal {
            invitations::Refusal::Closed => Code::RegistrationClosed.into(),
            invitations::Refusal::TooManyAttempts(wait) => wait.into(),
            invitations::Refusal::InvalidToken => Code::InvalidToken.into(),
            invitations::Refusal::EmailTaken => Code::EmailTaken.into(),
            invitations::Refusal::NotFound => Code::NotFound.into(),
            invitations::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<refresh::Refusal> for Problem {
    fn from(refusal: refresh::Refusal) -> Self {
        match refusal {
            refresh::Refusal::Invalid | refresh::Refusal::UserGone => {
                Code::InvalidRefreshToken.into()
            }
            refresh::Refusal::Reused => Code::RefreshTokenReused.into(),
            refresh::Refusal::Late => Code::Unavailable.into(),
            refresh::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<authenticate::Refusal> for Problem {
    fn from(refusal: authenticate::Refusal) -> Self {
        match refusal {
            authenticate::Refusal::NoToken => Code::NoToken.into(),
            authenticate::Refusal::SessionExpired => Code::SessionExpired.into(),
            authenticate::Refusal::AccessTokenExpired => Code::AccessTokenExpired.into(),
            authenticate::Refusal::CsrfFailed => Code::CsrfFailed.into(),
            authenticate::Refusal::InvalidRefreshToken => Code::InvalidRefreshToken.into(),
            authenticate::Refusal::RefreshTokenReused => Code::RefreshTokenReused.into(),
            authenticate::Refusal::Late => Code::Unavailable.into(),
            authenticate::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<administration::Refusal> for Problem {
    fn from(refusal: administration::Refusal) -> Self {
        match refusal {
            administration::Refusal::NotFound => Code::NotFound.into(),
            administration::Refusal::EmailTaken => Code::EmailTaken.into(),
            administration::Refusal::LastAdmin => Code::LastAdmin.into(),
            administration::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<addresses::Refusal> for Problem {
    fn from(refusal: addresses::Refusal) -> Self {
        match refusal {
            addresses::Refusal::TooManyAttempts(wait) => wait.into(),
            addresses::Refusal::TooMany => Code::TooManyAddresses.into(),
            addresses::Refusal::NotFound => Code::NotFound.into(),
            addresses::Refusal::DefaultIsNeeded => Self::fields(vec![FieldError {
                field: "/isDefault".to_owned(),
                message: "must not be false for the default; make another one the default"
                    .to_owned(),
            }]),
            addresses::Refusal::UserGone => Code::SessionExpired.into(),
            addresses::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<profile::Refusal> for Problem {
    fn from(refusal: profile::Refusal) -> Self {
        match refusal {
            profile::Refusal::TooManyAttempts(wait) => wait.into(),
            profile::Refusal::UserGone => Code::SessionExpired.into(),
            profile::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<dossier::Refusal> for Problem {
    fn from(refusal: dossier::Refusal) -> Self {
        match refusal {
            dossier::Refusal::TooManyAttempts(wait) => wait.into(),
            dossier::Refusal::UserGone => Code::SessionExpired.into(),
            dossier::Refusal::Internal(fault) => fault.into(),
        }
    }
}
