//! What the route's placeholders captured.

use serde::de::DeserializeOwned;

use crate::{
    app::{CaptureError, Context, FromContext, Rejection, Routed},
    destination::Pattern,
    extract::{
        path_check,
        path_deserializer::{PathDeserializer, PathError},
    },
};

/// The captured segments of the destination: one value, a tuple in the order of the placeholders, or a struct or map by
/// their names. A segment that is not a `T` is refused with `invalid-path`.
///
/// A `T` that no destination of the route could be (two placeholders for one value, a field that none is named after) is
/// the application's fault: reported when the endpoint is built, as a [`CaptureError`]. Where only a real destination shows
/// it, as in a variant with fields, it is refused with `internal` and logged.
///
/// ```
/// use parlor_core::extract::Path;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Seat { room: String, seat: u8 }
///
/// async fn one(Path(room): Path<u64>) { let _ = room; } // "/app/rooms/{room}"
/// async fn two(Path((room, seat)): Path<(u64, u8)>) { let _ = (room, seat); } // "/app/rooms/{room}/seats/{seat}"
/// async fn named(Path(Seat { room, seat }): Path<Seat>) { let _ = (room, seat); }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<S: Sync, K: Routed + Sync, T: DeserializeOwned> FromContext<S, K> for Path<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
        match T::deserialize(PathDeserializer::new(context.params())) {
            Ok(value) => Ok(Self(value)),
            Err(error @ PathError::Route(_)) => Err(Rejection::internal(error)),
            Err(error @ PathError::Segment(_)) => Err(Rejection::new(
                "invalid-path",
                format!("A segment of {} is not valid: {error}.", context.event().destination()),
            )),
        }
    }

    fn check_pattern(pattern: &Pattern) -> Result<(), CaptureError> {
        path_check::check::<T>(pattern)
    }
}
