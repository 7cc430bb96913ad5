//! Error handlers: what becomes of a handler's error, by its type.

use std::{any::TypeId, fmt, future::Future, sync::Arc};

use futures_util::future::BoxFuture;
use parlor_stomp::Headers;

use crate::{
    app::{Context, FromContext, HandlerError, IntoOutcome, Outcome, Rejection, Routed, arity::up_to_seven},
    destination::Destination,
    telemetry,
};

/// An event whose handler failed: where it was sent, with the client's headers. The placeholders of its route can be
/// extracted by [`Path`](crate::extract::Path).
///
/// ```
/// use parlor_core::{app::Rejection, destination::Destination, extract::Path};
///
/// struct Full;
///
/// // The arguments behind the error are extracted from the `Failed` event.
/// async fn full(_: Full, Path(room): Path<u32>, destination: Destination) -> Rejection {
///     Rejection::new("full", format!("Room {room} is full ({destination})."))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Failed {
    destination: Destination,
    headers: Headers,
}

/// What is told to a client, and what else is sent, when an event failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) rejection: Rejection,
    pub(crate) outcome: Outcome,
}

/// A function that is given every error of one type that a handler, guard or extractor of the router returned.
///
/// Its first argument is the error, the others are extractors. It answers the [`Rejection`] that the client is told, alone or
/// in a tuple with something to send. The event stays refused: an error handler cannot make a failed message succeed, nor
/// grant a subscription.
///
/// ```
/// use parlor_core::{
///     app::{ErrorHandler, Rejection, Router},
///     auth::Principal,
///     extract::SendToUser,
/// };
///
/// struct RoomIsFull { room: u64 }
///
/// impl From<RoomIsFull> for Rejection {
///     fn from(_: RoomIsFull) -> Self { Rejection::new("room-full", "This room is full.") }
/// }
///
/// async fn room_is_full(error: RoomIsFull, user: Principal) -> (Rejection, SendToUser<u64>) {
///     let room = error.room;
///     let told = Rejection::new("room-full", format!("Sorry {user}, room {room} is full."));
///     (told, SendToUser::new("/queue/full-rooms", room))
/// }
///
/// let router: Router<()> = Router::new().mount(ErrorHandler::new(room_is_full));
/// # let _ = router;
/// ```
pub struct ErrorHandler<S> {
    pub(super) error: TypeId,
    pub(super) name: &'static str,
    call: Call<S>,
}

type Call<S> = Arc<dyn Fn(HandlerError, Context<Failed>, S) -> BoxFuture<'static, Failure> + Send + Sync>;

/// An error handler with its state.
pub(super) type BoundErrorHandler =
    Arc<dyn Fn(HandlerError, Context<Failed>) -> BoxFuture<'static, Failure> + Send + Sync>;

/// An async function of an error `E` and up to seven extractors. `T` only tells the implementations apart.
///
/// ```
/// use parlor_core::{app::{Rejection, Router}, auth::Principal};
///
/// struct Full;
///
/// impl From<Full> for Rejection {
///     fn from(_: Full) -> Self { Rejection::new("full", "Nobody else fits in.") }
/// }
///
/// async fn full(error: Full, user: Principal) -> Rejection {
///     println!("{user} did not fit in");
///     error.into()
/// }
///
/// let router: Router<()> = Router::new().on_error(full);
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error handler",
    label = "not an error handler",
    note = "an error handler is an `async fn` whose first argument is the error, followed by up to seven extractors \
            (`Path`, `State`, `Principal`, `Session`, `Broker`, `Destination`, `Header`), and its future is `Send`"
)]
pub trait HandlesError<S, E, T>: Clone + Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// Extracts the arguments, in their order, and calls the function.
    fn call(
        self,
        error: E,
        context: Context<Failed>,
        state: S,
    ) -> impl Future<Output = Result<Self::Output, Rejection>> + Send;
}

/// What an error handler may return.
///
/// ```
/// use parlor_core::{app::{IntoFailure, Rejection}, extract::SendToUser};
///
/// fn answers(_: impl IntoFailure) {}
///
/// answers(Rejection::new("full", "Nobody else fits in."));
/// answers((Rejection::new("full", "Nobody else fits in."), SendToUser::new("/queue/waiting", 7)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what the client is told",
    label = "an error handler answers a `Rejection`",
    note = "return `Rejection`, or `(Rejection, T)` where `T` is something to send, like `SendToUser<_>`"
)]
pub trait IntoFailure {
    /// What the client is told, and what else is sent.
    fn into_failure(self) -> (Rejection, Outcome);
}

impl IntoFailure for Rejection {
    fn into_failure(self) -> (Rejection, Outcome) {
        (self, Outcome::nothing())
    }
}

impl<O: IntoOutcome<Failed>> IntoFailure for (Rejection, O) {
    fn into_failure(self) -> (Rejection, Outcome) {
        let (rejection, also) = self;
        let outcome = also.into_outcome().unwrap_or_else(|error| {
            let failed = error.into_rejection();
            telemetry::application_failed("what an error handler wanted to send could not be sent", &failed);
            Outcome::nothing()
        });
        (rejection, outcome)
    }
}

impl<S: Send + 'static> ErrorHandler<S> {
    /// A handler for errors of the type of the function's first argument. At most one for each type.
    #[must_use]
    pub fn new<H, E, T>(handler: H) -> Self
    where
        H: HandlesError<S, E, T>,
        H::Output: IntoFailure,
        E: Into<Rejection> + Send + Sync + 'static,
    {
        Self {
            error: TypeId::of::<E>(),
            name: std::any::type_name::<E>(),
            call: Arc::new(move |error, context, state| {
                let handler = handler.clone();
                Box::pin(async move {
                    let error = match error.downcast::<E>() {
                        Ok(error) => error,
                        Err(other) => return Failure::plain(other.into_rejection()),
                    };
                    match handler.call(error, context, state).await {
                        Ok(answer) => {
                            let (rejection, outcome) = answer.into_failure();
                            Failure { rejection, outcome }
                        }
                        Err(rejection) => Failure::plain(rejection),
                    }
                })
            }),
        }
    }

    pub(super) fn bind(&self, state: S) -> BoundErrorHandler
    where
        S: Clone + Sync,
    {
        let call = Arc::clone(&self.call);
        Arc::new(move |error, context| call(error, context, state.clone()))
    }
}

impl Failed {
    pub(super) fn of(event: &impl Routed) -> Self {
        Self { destination: event.destination().clone(), headers: event.headers().clone() }
    }
}

impl Failure {
    /// The client is told, and nothing else happens.
    pub(crate) fn plain(rejection: Rejection) -> Self {
        Self { rejection, outcome: Outcome::nothing() }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::plain(rejection)
    }
}

impl Routed for Failed {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    fn headers(&self) -> &Headers {
        &self.headers
    }
}

impl<S> fmt::Debug for ErrorHandler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorHandler").field("error", &self.name).finish_non_exhaustive()
    }
}

macro_rules! handles_error {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<F, Fut, S, E, $($argument,)*> HandlesError<S, E, (E, $($argument,)*)> for F
        where
            F: Fn(E, $($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future + Send,
            S: Send + Sync + 'static,
            E: Send + 'static,
            $($argument: FromContext<S, Failed> + Send,)*
        {
            type Output = Fut::Output;

            #[allow(non_snake_case, unused_variables, reason = "the type parameters name the arguments; there may be none")]
            async fn call(self, error: E, context: Context<Failed>, state: S) -> Result<Self::Output, Rejection> {
                $(
                    let $argument = $argument::from_context(&context, &state).await.map_err(Into::into)?;
                )*
                Ok(self(error, $($argument),*).await)
            }
        }
    };
}

up_to_seven!(handles_error);
