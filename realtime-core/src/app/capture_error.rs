//! Why what a route captures can never be what its handler takes.

/// Why what a route captures can never be what its handler takes, found when the endpoint is built.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router}, auth::Anonymous, extract::Path};
///
/// async fn sit(Path((room, seat)): Path<(u32, u8)>) { let _ = (room, seat); }
///
/// let routes = Router::new().mount(Route::message("/app/rooms/{room}/sit", sit)).with_state(());
/// let error = Realtime::builder(routes).authenticate(Anonymous).build().unwrap_err();
/// assert!(error.to_string().contains("`Path` takes 2 segments and the pattern captures 1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Another number of segments.
    #[error(
        "`Path` takes {taken} {} and the pattern captures {captured}; write a `{{name}}` for each, or take them all: one \
         value, a tuple, or a struct by their names",
        if *.taken == 1 { "segment" } else { "segments" }
    )]
    Count {
        /// How many the handler takes.
        taken: usize,
        /// How many the pattern captures.
        captured: usize,
    },
    /// A field that no placeholder is named after.
    #[error(
        "`Path` takes the field `{field}`, which the pattern does not capture; write `{{{field}}}` in it, or rename the field"
    )]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A type that no segment can become.
    #[error(
        "`Path` takes {expected} out of one segment, which is text; take a number, a `bool`, a `String` or an enum of names"
    )]
    Segment {
        /// What was to be made of the segment.
        expected: String,
    },
    /// A placeholder that the struct refuses, as it denies unknown fields.
    #[error(
        "the pattern captures `{{{placeholder}}}`, for which the struct in `Path` has no field; add it, or rename one"
    )]
    Unknown {
        /// The placeholder.
        placeholder: String,
    },
}
