//! What the tokens of PASETO have in common: how they are written down, and what is authenticated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The pre-authentication encoding of `pieces` (PASETO, "Common implementation details"): no two
/// lists of pieces are encoded alike.
#[cfg(feature = "server")]
pub(super) fn pre_authentication(pieces: &[&[u8]]) -> Vec<u8> {
    let size = pieces.iter().map(|piece| 8 + piece.len()).sum::<usize>();
    let mut out = Vec::with_capacity(8 + size);
    out.extend_from_slice(&length(pieces.len()));
    for piece in pieces {
        out.extend_from_slice(&length(piece.len()));
        out.extend_from_slice(piece);
    }
    out
}

/// A length as PASETO writes it: 64 bits, little-endian, the top bit clear.
#[cfg(feature = "server")]
fn length(of: usize) -> [u8; 8] {
    (of as u64 & (u64::MAX >> 1)).to_le_bytes()
}

/// A token as it comes: nothing of it has been authenticated.
pub(super) struct Parts {
    /// What is between header and footer: payload and signature, or nonce, ciphertext and tag.
    pub(super) body: Vec<u8>,
    pub(super) footer: Vec<u8>,
}

/// Takes a token apart. `None` when it has another header, no footer, or is not base64url.
pub(super) fn parse(header: &str, token: &str) -> Option<Parts> {
    let (body, footer) = token.strip_prefix(header)?.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    Some(Parts { body: decode(body)?, footer: decode(footer)? })
}

/// A token: the header (such as `v4.public.`), then body and footer in base64url.
#[cfg(feature = "server")]
pub(super) fn token(header: &str, body: &[u8], footer: &[u8]) -> String {
    let mut token = String::with_capacity(header.len() + (body.len() + footer.len()) * 4 / 3 + 8);
    token.push_str(header);
    URL_SAFE_NO_PAD.encode_string(body, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(footer, &mut token);
    token
}
