//! Handlers by attribute for [Parlor](https://docs.rs/parlor), which re-exports what is here: `parlor::stomp_handler`.
//!
//! Each attribute leaves the function as it is and puts a type of the same name beside it (types and functions have
//! separate name spaces), so that `chat::route()` is what one would write by hand in one line. What does not fit is an
//! error while compiling that says what to write; `docs/macros.md` lists them all.
//!
//! ```text
//! tokens -> parse -> model -> check -> expand      what the attribute says, whether it makes sense, the code
//!                          \       \-> fallback    where it does not: the errors, the function, a route that compiles
//!                           \-> diagnostics        every sentence
//! ```
//!
//! A macro sees names and not what they mean: `Path`, `Payload`, `Result` and `Option` are known by the last part of
//! their path. What only the compiler can judge (what can be extracted, what can be returned) is left to it, in a shape
//! that points at the argument.

mod check;
mod diagnostics;
mod expand;
mod fallback;
mod model;
mod parse;
mod pattern;
mod routes;
mod target;
mod types;
mod units;

use proc_macro::TokenStream;
use quote::quote;

use crate::{
    diagnostics::Errors,
    model::{Kind, TargetKind},
};

/// Parse, check, and expand or fall back: the same for every attribute on a function that is to be mounted.
fn handler(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let (arguments, item) = (proc_macro2::TokenStream::from(arguments), proc_macro2::TokenStream::from(item));
    let mut errors = Errors::default();
    let Some(function) = parse::function(kind.name(), &item, &mut errors) else {
        return quote!(#errors #item).into();
    };
    let handler = parse::handler(kind, arguments, function, &mut errors);
    check::handler(&handler, &mut errors);
    if errors.is_empty() { expand::handler(&handler) } else { fallback::handler(&handler, &errors) }.into()
}

/// A handler for SENDs to the destinations of a pattern.
///
/// ```
/// use parlor::{app::Router, extract::{Path, Payload}, stomp_handler};
///
/// #[stomp_handler("/app/rooms/{room}/shout")]
/// #[send_to("/topic/rooms/{room}")]
/// async fn shout(Path(room): Path<u32>, Payload(text): Payload<String>) -> Payload<String> {
///     Payload(format!("{room}: {}", text.to_uppercase()))
/// }
///
/// let routes = Router::new().mount(shout::route()).with_state(());
/// # let _ = routes;
/// ```
///
/// By hand:
///
/// ```ignore
/// Route::message("/app/rooms/{room}/shout", shout).send_to("/topic/rooms/{room}")
/// ```
///
/// Options, each with the call that it stands for:
///
/// | option | by hand |
/// |---|---|
/// | `authorize = is_member` | `.authorize(is_member)` |
/// | `rate = "5/s"` | `.rate(Rate::new(5, Duration::from_secs(1)))` |
/// | `max_size = "4 KiB"` | `.max_size(4096)` |
/// | `concurrent = 4` | `.concurrent(4)` |
/// | `state = App` | the route is for this state alone, and is checked with it where it is written |
/// | `crate = "parlor_core"` | the crate to take names from, where it is not called `parlor` |
#[proc_macro_attribute]
pub fn stomp_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Message, arguments, item)
}

/// A handler that judges SUBSCRIBEs to the destinations of a pattern: `Err` refuses, `Reply` is the first message.
///
/// ```
/// use parlor::{app::{Rejection, Router}, extract::{Path, Reply}, subscribe_handler};
///
/// #[subscribe_handler("/topic/rooms/{room}")]
/// async fn enter(Path(room): Path<u32>) -> Result<Reply<Vec<String>>, Rejection> {
///     if room == 0 { return Err(Rejection::new("no-such-room", "There is no room 0.")) }
///     Ok(Reply(vec![]))
/// }
///
/// let routes = Router::new().mount(enter::route()).with_state(());
/// # let _ = routes;
/// ```
///
/// By hand: `Route::subscribe("/topic/rooms/{room}", enter)`. It takes the options of [`macro@stomp_handler`] but for
/// `max_size`, as a SUBSCRIBE has no body.
#[proc_macro_attribute]
pub fn subscribe_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Subscribe, arguments, item)
}

/// Publishes what the handler returns to a destination, in which the placeholders of its pattern may stand.
///
/// It stands with [`macro@stomp_handler`] or [`macro@subscribe_handler`], and is `.send_to("/topic/…")` by hand.
///
/// ```
/// use parlor::{app::Router, extract::Payload, routes, stomp_handler};
///
/// #[stomp_handler("/app/rooms/{room}/say")]
/// #[send_to("/topic/rooms/{room}")]
/// async fn say(Payload(text): Payload<String>) -> Payload<String> { Payload(text) }
///
/// let routes = Router::new().mount(routes![say]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn send_to(arguments: TokenStream, item: TokenStream) -> TokenStream {
    target::expand(TargetKind::Topic, &arguments.into(), &item.into()).into()
}

/// Sends what the handler returns to all sessions of the user whose event it was, at `/user` and this path.
///
/// It stands with [`macro@stomp_handler`] or [`macro@subscribe_handler`], and is `.send_to_user("/queue/…")` by hand.
///
/// ```
/// use parlor::{app::Router, extract::Payload, routes, stomp_handler};
///
/// /// The sender's tabs that subscribed to /user/queue/sums get the sum.
/// #[stomp_handler("/app/sum")]
/// #[send_to_user("/queue/sums")]
/// async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Payload<i64> { Payload(a + b) }
///
/// let routes = Router::new().mount(routes![sum]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn send_to_user(arguments: TokenStream, item: TokenStream) -> TokenStream {
    target::expand(TargetKind::User, &arguments.into(), &item.into()).into()
}

/// Decides what a client is told of an error that handlers return: the first argument is the error, the others are
/// extractors.
///
/// By hand: `ErrorHandler::new(chat_error)`.
///
/// ```
/// use parlor::{app::{Rejection, Router}, auth::Principal, error_handler, routes};
///
/// struct Full;
///
/// impl From<Full> for Rejection {
///     fn from(_: Full) -> Self { Rejection::new("full", "This room is full.") }
/// }
///
/// #[error_handler]
/// async fn full(_: Full, user: Principal) -> Rejection {
///     Rejection::new("full", format!("Sorry {user}, this room is full."))
/// }
///
/// let routes = Router::new().mount(routes![full]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn error_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Error, arguments, item)
}

/// A listener that is called when a session has been opened. By hand: `Listener::connected(greet)`.
///
/// ```
/// use parlor::{app::{Connected, Router}, auth::Principal, on_connected, routes};
///
/// #[on_connected]
/// async fn heard(event: Connected, user: Principal) { println!("{user}: {event:?}"); }
///
/// let routes = Router::new().mount(routes![heard]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn on_connected(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Connected, arguments, item)
}

/// A listener that is called when a subscription is registered. By hand: `Listener::subscribed(count)`.
///
/// ```
/// use parlor::{app::{Subscribed, Router}, auth::Principal, on_subscribed, routes};
///
/// #[on_subscribed]
/// async fn heard(event: Subscribed, user: Principal) { println!("{user}: {event:?}"); }
///
/// let routes = Router::new().mount(routes![heard]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn on_subscribed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Subscribed, arguments, item)
}

/// A listener that is called when a subscription was ended. By hand: `Listener::unsubscribed(count)`.
///
/// ```
/// use parlor::{app::{Unsubscribed, Router}, auth::Principal, on_unsubscribed, routes};
///
/// #[on_unsubscribed]
/// async fn heard(event: Unsubscribed, user: Principal) { println!("{user}: {event:?}"); }
///
/// let routes = Router::new().mount(routes![heard]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn on_unsubscribed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Unsubscribed, arguments, item)
}

/// A listener that is called when a session has ended. By hand: `Listener::disconnected(left)`.
///
/// ```
/// use parlor::{app::{Disconnected, Router}, auth::Principal, on_disconnected, routes};
///
/// #[on_disconnected]
/// async fn heard(event: Disconnected, user: Principal) { println!("{user}: {event:?}"); }
///
/// let routes = Router::new().mount(routes![heard]).with_state(());
/// # let _ = routes;
/// ```
#[proc_macro_attribute]
pub fn on_disconnected(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler(Kind::Disconnected, arguments, item)
}

/// Several routes at once, by the names of their handlers: `Router::new().mount(routes![chat, rooms::enter])`.
///
/// Two of them that would have to share a destination are an error while compiling; what is mounted elsewhere is compared
/// when the endpoint is built. By hand: `(chat::route(), rooms::enter::route())`.
///
/// ```
/// use parlor::{app::Router, extract::Payload, routes, stomp_handler};
///
/// #[stomp_handler("/app/say")]
/// #[send_to("/topic/said")]
/// async fn say(Payload(text): Payload<String>) -> Payload<String> { Payload(text) }
///
/// #[stomp_handler("/app/rest")]
/// async fn rest() {}
///
/// let routes = Router::new().mount(routes![say, rest]).with_state(());
/// assert_eq!(routes.entries().count(), 2);
/// ```
#[proc_macro]
pub fn routes(list: TokenStream) -> TokenStream {
    routes::expand(list.into()).into()
}
