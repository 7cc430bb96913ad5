//! One cookie by name.

use cookie::Cookie;
use http::{HeaderMap, header};

use crate::auth::AuthError;

/// The value of the only cookie of that name.
pub(super) fn unique_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, AuthError> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        // Each cookie by itself: one that is not ASCII, some other page's, must not hide the rest of its line.
        let cookies =
            line.as_bytes().split(|octet| *octet == b';').filter_map(|cookie| std::str::from_utf8(cookie).ok());
        for cookie in cookies.filter_map(|cookie| Cookie::parse(cookie).ok()).filter(|cookie| cookie.name() == name) {
            if found.is_some() {
                return Err(AuthError::Invalid);
            }
            found = Some(cookie.value_raw().unwrap_or_default());
        }
    }
    Ok(found)
}
