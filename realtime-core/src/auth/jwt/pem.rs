//! Public keys in PEM (RFC 7468): one `PUBLIC KEY` of RSA, P-256 or Ed25519, or one `RSA PUBLIC KEY`.
//!
//! What else people put there by mistake, a private key or a certificate, gets an error of its own.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::auth::JwtKeyError;

/// How the `SubjectPublicKeyInfo` of an Ed25519 key begins (RFC 8410 section 4); 32 octets follow.
const ED25519_HEAD: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// How that of a P-256 key with its point uncompressed begins (RFC 5480 section 2); 65 octets follow.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key of a PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// 32 octets.
    Ed25519(Vec<u8>),
    /// An uncompressed point: 65 octets, the first one 4.
    P256(Vec<u8>),
    /// Anything else, which can only be RSA: DER.
    Other(Vec<u8>),
}

/// Whether a text looks like PEM.
pub(super) fn is_pem(octets: &[u8]) -> bool {
    octets.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The public key of a PEM text.
pub(super) fn public_key(pem: &[u8]) -> Result<PublicKey, JwtKeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| JwtKeyError::NotPem)?;
    let (_, block) = text.split_once(BEGIN).ok_or(JwtKeyError::NotPem)?;
    let (label, rest) = block.split_once(DASHES).ok_or(JwtKeyError::NotPem)?;
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => return Err(JwtKeyError::Certificate),
        label if label.ends_with("PRIVATE KEY") => return Err(JwtKeyError::Private),
        _ => return Err(JwtKeyError::NotPem),
    }
    let (body, after) = rest.split_once(&format!("-----END {label}-----")).ok_or(JwtKeyError::NotPem)?;
    if !after.trim().is_empty() {
        return Err(JwtKeyError::NotPem);
    }
    let body: String = body.split_ascii_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).map_err(|_| JwtKeyError::NotPem)?;
    Ok(match der.split_at_checked(P256_HEAD.len()) {
        Some((head, point)) if head == P256_HEAD && point.len() == 65 && point[0] == 4 => {
            PublicKey::P256(point.to_vec())
        }
        _ => match der.strip_prefix(&ED25519_HEAD) {
            Some(key) if key.len() == 32 => PublicKey::Ed25519(key.to_vec()),
            _ => PublicKey::Other(der),
        },
    })
}
