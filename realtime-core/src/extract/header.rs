//! One header of the frame, by name and with a type.

use std::fmt;

use crate::app::{Context, FromContext, OptionalFromContext, Rejection, Routed};

/// A header that is required: refused with `missing-header` or `invalid-header`. Take `Option<Header<T>>` where it may
/// be missing.
///
/// ```
/// use std::num::ParseIntError;
/// use parlor_core::extract::{Header, NamedHeader};
///
/// struct Priority(u8);
///
/// impl NamedHeader for Priority {
///     const NAME: &'static str = "priority";
///     type Error = ParseIntError;
///
///     fn from_value(value: &str) -> Result<Self, ParseIntError> {
///         value.parse().map(Priority)
///     }
/// }
///
/// async fn handler(Header(Priority(priority)): Header<Priority>) { let _: u8 = priority; }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<T>(pub T);

/// A type that stands for one header. Names are case sensitive, as in STOMP.
///
/// ```
/// use parlor_core::extract::NamedHeader;
///
/// struct Priority(u8);
///
/// impl NamedHeader for Priority {
///     const NAME: &'static str = "priority";
///     type Error = std::num::ParseIntError;
///
///     fn from_value(value: &str) -> Result<Self, Self::Error> {
///         value.parse().map(Self)
///     }
/// }
/// ```
pub trait NamedHeader: Sized {
    /// The header's name.
    const NAME: &'static str;

    /// Why a value is refused; the client is told.
    type Error: fmt::Display;

    /// Reads the header's value.
    ///
    /// # Errors
    /// When the value is not one of the type's.
    fn from_value(value: &str) -> Result<Self, Self::Error>;
}

impl<S: Sync, K: Routed + Sync, T: NamedHeader> FromContext<S, K> for Header<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
        find(context)?
            .ok_or_else(|| Rejection::new("missing-header", format!("The header `{}` is missing. Send it.", T::NAME)))
    }
}

impl<S: Sync, K: Routed + Sync, T: NamedHeader> OptionalFromContext<S, K> for Header<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Option<Self>, Rejection> {
        find(context)
    }
}

fn find<K: Routed, T: NamedHeader>(context: &Context<K>) -> Result<Option<Header<T>>, Rejection> {
    let Some(value) = context.event().headers().get(T::NAME) else { return Ok(None) };
    match T::from_value(value) {
        Ok(header) => Ok(Some(Header(header))),
        Err(error) => Err(Rejection::new("invalid-header", format!("The header `{}` is not valid: {error}", T::NAME))),
    }
}
