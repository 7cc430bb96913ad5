//! Plain async functions as handlers.

use std::{borrow::Cow, future::Future};

use crate::app::{Context, FromContext, Rejection};

/// An async function whose arguments are extractors. Called by the session's driver, one event of a session at a time.
///
/// It is implemented for functions of up to eight arguments; `T` only tells those implementations apart. A future that
/// is dropped (the connection's patience ended) counts as a failure: the message is refused.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler for this kind of event",
    label = "not a handler here",
    note = "a handler is an `async fn` of up to eight arguments, each of which can be extracted from the event \
            (`Path`, `Payload`, `State`, `Principal`, `Session`, `Broker`, `Header`, `String`, `Bytes`), \
            and its future is `Send`"
)]
pub trait Handler<S, K, T>: Clone + Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// What it is called in tables: the name of the function's type.
    fn name(&self) -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }

    /// Extracts the arguments, in their order, and calls the function.
    fn call(self, context: Context<K>, state: S) -> impl Future<Output = Result<Self::Output, Rejection>> + Send;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<F, Fut, S, K, $($argument,)*> Handler<S, K, ($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future + Send,
            S: Send + Sync + 'static,
            K: Send + Sync + 'static,
            $($argument: FromContext<S, K> + Send,)*
        {
            type Output = Fut::Output;

            #[allow(non_snake_case, unused_variables, reason = "the type parameters name the arguments; there may be none")]
            async fn call(self, context: Context<K>, state: S) -> Result<Self::Output, Rejection> {
                $(
                    let $argument = $argument::from_context(&context, &state).await.map_err(Into::into)?;
                )*
                Ok(self($($argument),*).await)
            }
        }
    };
}

handler!();
handler!(A1);
handler!(A1, A2);
handler!(A1, A2, A3);
handler!(A1, A2, A3, A4);
handler!(A1, A2, A3, A4, A5);
handler!(A1, A2, A3, A4, A5, A6);
handler!(A1, A2, A3, A4, A5, A6, A7);
handler!(A1, A2, A3, A4, A5, A6, A7, A8);
