//! A typed body that keeps the rules of its type.

use garde::Validate;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::{Context, FromContext, Rejection},
    extract::payload::payload,
    message::Message,
};

/// Like [`Payload`](crate::extract::Payload), and checked by its [`garde`] rules: a body that breaks one is refused with
/// `invalid-payload`, a sentence that names every fault, and the faults by field in the refusal's `details`. With the feature
/// `garde`.
///
/// ```
/// use garde::Validate;
/// use parlor_core::extract::Validated;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, Validate)]
/// struct Draft {
///     #[garde(length(min = 1, max = 500))]
///     text: String,
/// }
///
/// async fn say(Validated(draft): Validated<Draft>) { let _ = draft.text; }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validated<T>(pub T);

/// One fault, as the client is told.
#[derive(Serialize)]
struct Fault {
    field: String,
    message: String,
}

impl<S, T> FromContext<S, Message> for Validated<T>
where
    S: Sync,
    T: DeserializeOwned + Validate<Context: Default>,
{
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
        let payload: T = payload(context.event())?;
        match payload.validate() {
            Ok(()) => Ok(Self(payload)),
            Err(report) => Err(refused(&report)),
        }
    }
}

fn refused(report: &garde::Report) -> Rejection {
    let faults: Vec<Fault> = report
        .iter()
        .map(|(path, error)| Fault { field: path.to_string(), message: error.message().to_owned() })
        .collect();
    let sentence = faults
        .iter()
        .map(|Fault { field, message }| if field.is_empty() { message.clone() } else { format!("{field}: {message}") })
        .collect::<Vec<_>>()
        .join("; ");
    Rejection::new("invalid-payload", format!("The body breaks the rules of this destination: {sentence}."))
        .with_details(&faults)
}
