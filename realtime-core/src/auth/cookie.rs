//! One cookie by name.

use cookie::Cookie;
use http::{HeaderMap, header};

use crate::auth::AuthError;

/// The value of the only cookie of that name.
pub(super) fn unique_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, AuthError> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        let Ok(line) = line.to_str() else { continue };
        for cookie in Cookie::split_parse(line).flatten().filter(|cookie| cookie.name() == name) {
            if found.is_some() {
                return Err(AuthError::Invalid);
            }
            found = Some(cookie.value_raw().unwrap_or_default());
        }
    }
    Ok(found)
}
